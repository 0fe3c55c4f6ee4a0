import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const LOADER = fileURLToPath(new URL('./typescript-loader.mjs', import.meta.url));

/** A TypeScript program that runs as a process of its own. */
export interface ChildProgram {
  readonly process: ChildProcess;
  /** What it has written so far. */
  output(): { stdout: string; stderr: string };
  /** Its log so far, from standard output. */
  log(): readonly Record<string, unknown>[];
  /** Resolves at its end, with all of its output there. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends it, by force where it is still there. */
  end(): Promise<void>;
}

/** Starts a source file as `node <file>`, with only these variables in its environment. */
export function startProgram(options: { file: string; env?: Readonly<Record<string, string>> }): ChildProgram {
  const child = spawn(process.execPath, ['--import', LOADER, options.file], {
    env: { ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  return {
    process: child,
    output: () => ({ stdout, stderr }),
    log: () =>
      stdout
        .slice(0, stdout.lastIndexOf('\n') + 1)
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    ended,
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}
