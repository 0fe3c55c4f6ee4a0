import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const LOADER = fileURLToPath(new URL('./typescript-loader.mjs', import.meta.url));

/** A TypeScript program in its own process. */
export interface ChildProgram {
  readonly process: ChildProcess;
  /** Returns its output so far. */
  output(): { stdout: string; stderr: string };
  /** Returns the log lines on its standard output so far. */
  log(): readonly Record<string, unknown>[];
  /** Resolves once it has exited and all of its output has arrived. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Kills it if it is still running, and waits for its exit. */
  end(): Promise<void>;
}

/**
 * Runs a source file, or a built one, as `node <file> <args>`, with only these environment variables.
 *
 * @param options.input its standard input; by default empty
 */
export function startProgram(options: {
  file: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  input?: string;
}): ChildProgram {
  const { file, args = [], env = {}, input = '' } = options;
  const loader = file.endsWith('.ts') ? ['--import', LOADER] : [];
  const child = spawn(process.execPath, [...loader, file, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
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
