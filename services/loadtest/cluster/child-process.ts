import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LOG_BYTES = 20_000;
const POLL_MS = 20;

/** A server in a child process. */
export interface ServerProcess {
  /** Resolves once `find` returns a value for the output; rejects if the process exits, after the timeout, or at the signal. */
  waitForOutput<T>(find: (output: string) => T | undefined, timeoutMs: number): Promise<T>;
  /** Kills the process and waits for its exit. */
  stop(): Promise<void>;
}

/** Returns the path of a program; undefined if it is not on the search path. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Returns the main file of a service: TypeScript or JavaScript, like this file. */
export function mainFile(role: string): string {
  return fileURLToPath(new URL(`../../${role}/main${extname(import.meta.url)}`, import.meta.url));
}

/** Starts a program. If `setpriv` is available, the program is killed when this process exits for any reason. */
export function startServer(options: {
  program: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  signal: AbortSignal;
}): ServerProcess {
  const { program, args, env, signal } = options;
  const canBind = isExecutable('/usr/bin/setpriv');
  const [file, all] = canBind ? ['/usr/bin/setpriv', ['--pdeathsig', 'KILL', program, ...args]] : [program, args];
  // In its own process group: after Ctrl-C, this process still reads its metrics.
  const child: ChildProcess = spawn(file, all, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  let failure: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text) => {
      output = (output + text).slice(-LOG_BYTES);
    });
  }
  child.on('error', (error) => {
    failure = error.message;
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const hasExited = () => failure !== undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    async waitForOutput(find, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        if (signal.aborted) throw new Error('interrupted');
        const found = find(output);
        if (found !== undefined) return found;
        if (hasExited()) throw new Error(`${program} exited: ${failure ?? output}`);
        if (performance.now() > deadline) throw new Error(`${program} did not start in time: ${output}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
    async stop() {
      if (hasExited()) return;
      child.kill('SIGKILL'); // all its clients belong to this test, so it need not drain
      await exited;
    },
  };
}
