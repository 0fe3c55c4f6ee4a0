import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endProcess, spawnBound } from '../../support/bound-process.ts';

const START_TIMEOUT_MS = 20_000;
const PAGE_BYTES = 4096;

/** The memory of a process after garbage collection, in bytes. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
}

/** A server under measurement, in a Node.js process. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #memory: AsyncIterator<string>;
  #output = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    const pipe = child.stdio[3];
    if (!pipe || !('read' in pipe)) throw new TypeError('the server has no pipe for memory figures');
    this.#memory = createInterface({ input: pipe })[Symbol.asyncIterator]();
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        this.#output = (this.#output + text).slice(-10_000);
      });
    }
  }

  /**
   * Starts a main file; resolves once `isUp` returns true. The process is killed when this process exits for any reason.
   * `hasChannel` gives it a channel for `send`; `args` are arguments of Node.js.
   */
  static async start(options: {
    main: string;
    isUp: (output: string) => boolean | Promise<boolean>;
    env?: Readonly<Record<string, string>>;
    args?: readonly string[];
    hasChannel?: boolean;
  }): Promise<ServerProcess> {
    const { main, isUp, env = {}, args = [], hasChannel = false } = options;
    const hook = fileURLToPath(new URL('report-memory.mjs', import.meta.url));
    const child = spawnBound(
      process.execPath,
      ['--expose-gc', '--import', hook, ...args, main],
      { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
      ['ignore', 'pipe', 'pipe', 'pipe', ...(hasChannel ? (['ipc'] as const) : [])],
    );
    const server = new ServerProcess(child);
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await isUp(server.#output))) {
      if (child.exitCode !== null || performance.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`${main} did not start: ${server.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return server;
  }

  send(message: object): void {
    this.#child.send(message);
  }

  /** The CPU time of all threads so far, in microseconds; Linux only. */
  get cpuUs(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    return readdirSync(tasks).reduce(
      (sum, task) => sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000,
      0,
    );
  }

  /** The resident memory without a garbage collection, in bytes; Linux only. */
  get residentBytes(): number {
    return Number(readFileSync(`/proc/${this.#child.pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  }

  /** Collects garbage in the server and returns its memory. */
  async memory(): Promise<Memory> {
    this.#child.kill('SIGUSR2');
    const { value, done } = await this.#memory.next();
    if (done) throw new Error(`the server has exited: ${this.#output}`);
    return JSON.parse(value) as Memory;
  }

  stop(): Promise<void> {
    return endProcess(this.#child); // all its clients belong to the bench, so it need not drain
  }
}
