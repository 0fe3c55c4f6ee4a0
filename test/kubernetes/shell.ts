import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../support/find-program.ts';
import { testContext } from './kubectl.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Runs commands as they stand on a page: in Bash, at the root of the repository, with a `kubectl` for the tests' context. */
export class Shell implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'heliograph-shell-'));
  readonly #started: ChildProcess[] = [];

  constructor() {
    const program = findProgram('kubectl', 'kubernetes-client');
    const wrapper = join(this.#folder, 'kubectl');
    writeFileSync(wrapper, `#!/bin/sh\nexec '${program}' --context '${testContext()}' "$@"\n`);
    chmodSync(wrapper, 0o755);
  }

  /** Runs a command to its end. Returns its output, which an error has as well. */
  async run(script: string): Promise<string> {
    const child = this.start(script);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${script} ended with ${code}:\n${output}`);
    return output;
  }

  /** Starts a command, with a process group of its own, that runs until it ends or the shell is disposed of. */
  start(script: string): ChildProcess {
    const env = { ...process.env, PATH: `${this.#folder}${delimiter}${process.env.PATH}` };
    const child = spawn('bash', ['-ec', script], { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#started.push(child);
    return child;
  }

  [Symbol.dispose](): void {
    for (const { pid, exitCode } of this.#started) if (pid && exitCode === null) process.kill(-pid);
    rmSync(this.#folder, { recursive: true });
  }
}
