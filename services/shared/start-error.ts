/** A failure to start that the operator can understand and fix from its message, without a stack trace. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

/** Explains why a server could not listen on a port. */
export function listenError(error: NodeJS.ErrnoException, address: { host: string; port: number }): StartError {
  const place = `port ${address.port} of ${address.host}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(`${place} is in use by another process: stop it or choose another port`);
    case 'EACCES':
      return new StartError(`${place} requires privileges that this user does not have: choose a port above 1023`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(`${place} cannot be used: it is not an address of this machine`);
    default:
      return new StartError(`${place} cannot be used: ${error.message}`, { cause: error });
  }
}
