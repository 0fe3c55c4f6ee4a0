import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.ts';

/** Files with a certificate for 127.0.0.1 that nobody trusts, and its key. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  remove(): void;
}

/** Makes a self-signed certificate. */
export function makeCertificate(): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'heliograph-tls-'));
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const args = ['req', '-x509', ...key, '-out', certFile, '-days', '2', ...subject];
  execFileSync(findProgram('openssl', 'openssl'), args, { stdio: 'ignore' });
  return { certFile, keyFile, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
