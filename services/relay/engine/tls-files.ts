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

/** Cipher suites of TLS 1.2, all with forward secrecy and authenticated encryption; those of TLS 1.3 always have both. */
export const TLS_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
