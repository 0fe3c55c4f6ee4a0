import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.ts';

/** Files with a self-signed certificate for 127.0.0.1 and its key. Disposing removes them. */
export interface Certificate extends Disposable {
  readonly certFile: string;
  readonly keyFile: string;
  /** A file with both, as HAProxy reads it. */
  readonly bothFile: string;
}

/** Creates a self-signed certificate, by default with an elliptic key. */
export function makeCertificate(options: { rsa?: boolean } = {}): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'heliograph-tls-'));
  const [certFile, keyFile, bothFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem'), join(dir, 'both.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = options.rsa ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const key = ['-newkey', ...kind, '-nodes', '-keyout', keyFile];
  const args = ['req', '-x509', ...key, '-out', certFile, '-days', '2', ...subject];
  execFileSync(findProgram('openssl', 'openssl'), args, { stdio: 'ignore' });
  writeFileSync(bothFile, readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8'));
  return { certFile, keyFile, bothFile, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}
