import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LOG_BYTES = 20_000;
const POLL_MS = 20;

/** A server that runs as a process of its own, for as long as this one. */
export interface Server {
  /** Resolves with what `find` finds in its output; rejects where it ends before, takes too long, or at the signal. */
  says<T>(find: (output: string) => T | undefined, timeoutMs: number): Promise<T>;
  /** Ends it, and waits until it is gone. */
  stop(): Promise<void>;
}

/** The path of a program; undefined where the PATH does not have it. */
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

/** The main file of a role of ours, as source or as built, as this file is. */
export function mainFile(role: string): string {
  return fileURLToPath(new URL(`../../${role}/main${extname(import.meta.url)}`, import.meta.url));
}

/** Starts a program that also ends when this process ends, however that happens, where the machine can do that. */
export function startServer(options: {
  program: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  signal: AbortSignal;
}): Server {
  const { program, args, env, signal } = options;
  const bound = isExecutable('/usr/bin/setpriv');
  const [file, all] = bound ? ['/usr/bin/setpriv', ['--pdeathsig', 'KILL', program, ...args]] : [program, args];
  // In a group of its own: Ctrl-C is for us, who still want to ask it for its figures.
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
  const hasEnded = () => failure !== undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    async says(find, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        if (signal.aborted) throw new Error('it was interrupted');
        const found = find(output);
        if (found !== undefined) return found;
        if (hasEnded()) throw new Error(`${program} ended: ${failure ?? output}`);
        if (performance.now() > deadline) throw new Error(`${program} did not start in time: ${output}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
    async stop() {
      if (hasEnded()) return;
      child.kill('SIGKILL'); // its clients are ours, and need no goodbye
      await exited;
    },
  };
}
