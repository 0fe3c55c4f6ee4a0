/** A failure to start that the operator can understand and fix from its message, without a stack trace. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

/** An address to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** Name of its settings without `_HOST` and `_PORT`, such as `RELAY`. */
  readonly setting?: string;
}

/** Explains why a server could not listen on a port, and names the setting to change. */
export function listenError(error: NodeJS.ErrnoException, { host, port, setting }: ListenAddress): StartError {
  const place = (variable: string) => `${setting ? `${setting}_${variable}: ` : ''}port ${port} of ${host}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(`${place('PORT')} is in use by another process: stop it or choose another port`);
    case 'EACCES':
      return new StartError(
        `${place('PORT')} requires privileges that this user does not have: choose a port above 1023`,
      );
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EAI_AGAIN':
    case 'ENOTFOUND':
      return new StartError(`${place('HOST')} cannot be used: it is not an address of this machine`);
    default:
      return new StartError(`${place('HOST')} cannot be used: ${error.message}`, { cause: error });
  }
}
