import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs a script in a shell. Returns its output; rejects if it fails. */
export async function runShell(script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-ec', script], { env: { ...process.env, ...env } });
  return stdout;
}
