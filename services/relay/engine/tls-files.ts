import { StartError } from '../../shared/start-error.ts';

/** Paths of a server's certificate and private key, both PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Explains why an engine could not use its TLS files. */
export function tlsError(cause: unknown): StartError {
  return new StartError('TLS_CERT_FILE and TLS_KEY_FILE must hold a certificate and its private key', { cause });
}
