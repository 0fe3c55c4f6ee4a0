/** A reason for which a process cannot start that its operator can understand and mend: no stack needed. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

/** Says in words why a server could not listen. */
export function listenError(error: NodeJS.ErrnoException, address: { host: string; port: number }): StartError {
  const where = `port ${address.port} of ${address.host}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(`${where} is in use by another process: stop that one or choose another port`);
    case 'EACCES':
      return new StartError(`${where} may not be used by this user: choose a port above 1023`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(`${where} cannot be used: this machine does not have that address`);
    default:
      return new StartError(`${where} cannot be used: ${error.message}`, { cause: error });
  }
}
