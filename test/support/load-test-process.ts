import { once } from 'node:events';
import type { Report } from '../../services/loadtest/report/report.ts';
import { spawnBound } from './bound-process.ts';

/** A load test in a child process, from the build. */
export interface LoadTestProcess {
  readonly pid: number;
  /** Returns the progress output so far. */
  progress(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it exits; `report` is set with `--json -`. */
  readonly ended: Promise<{ code: number | null; output: string; progress: string; report: Report | undefined }>;
}

/** Starts a load test with the given options and only the given environment variables. */
export function startLoadTest(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program = [new URL('../../dist/loadtest/main.js', import.meta.url).pathname],
): LoadTestProcess {
  const child = spawnBound(process.execPath, [...program, ...args], { PATH: process.env.PATH, ...env });
  let output = '';
  let progress = '';
  child.stdout?.on('data', (text) => {
    output += text;
  });
  child.stderr?.on('data', (text) => {
    progress += text;
  });
  return {
    pid: child.pid ?? 0,
    progress: () => progress,
    kill: (signal) => void child.kill(signal),
    ended: once(child, 'close').then(() => {
      const report = output.startsWith('{') ? (JSON.parse(output) as Report) : undefined;
      return { code: child.exitCode, output, progress, report };
    }),
  };
}
