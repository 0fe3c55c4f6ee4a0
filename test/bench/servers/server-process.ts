import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endProcess, spawnBound } from '../../support/bound-process.ts';

const START_TIMEOUT_MS = 20_000;
const PAGE_BYTES = 4096;

/** What a process holds after it has collected its garbage, in bytes. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
}

/** A server under measurement: a Node process of its own. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #memory: AsyncIterator<string>;
  #output = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    const pipe = child.stdio[3];
    if (!pipe || !('read' in pipe)) throw new TypeError('the server has no pipe for its memory');
    this.#memory = createInterface({ input: pipe })[Symbol.asyncIterator]();
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        this.#output = (this.#output + text).slice(-10_000);
      });
    }
  }

  /**
   * Starts a main file; resolves once `isUp` does. It ends with this process, however that happens. `hears` gives it
   * a channel for `send`; `args` are for Node.
   */
  static async start(options: {
    main: string;
    isUp: (output: string) => boolean | Promise<boolean>;
    env?: Readonly<Record<string, string>>;
    args?: readonly string[];
    hears?: boolean;
  }): Promise<ServerProcess> {
    const { main, isUp, env = {}, args = [], hears = false } = options;
    const hook = fileURLToPath(new URL('report-memory.mjs', import.meta.url));
    const child = spawnBound(
      process.execPath,
      ['--expose-gc', '--import', hook, ...args, main],
      { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
      ['ignore', 'pipe', 'pipe', 'pipe', ...(hears ? (['ipc'] as const) : [])],
    );
    const server = new ServerProcess(child);
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await isUp(server.#output))) {
      if (child.exitCode !== null || performance.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`${main} does not start: ${server.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return server;
  }

  send(message: object): void {
    this.#child.send(message);
  }

  /** The CPU time of all its threads so far, in microseconds; Linux only. */
  get cpuUs(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    return readdirSync(tasks).reduce(
      (sum, task) => sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000,
      0,
    );
  }

  /** The memory that it has in use as it is, in bytes; Linux only. */
  get residentBytes(): number {
    return Number(readFileSync(`/proc/${this.#child.pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  }

  /** Has it collect its garbage, and answers what is left. */
  async memory(): Promise<Memory> {
    this.#child.kill('SIGUSR2');
    const { value, done } = await this.#memory.next();
    if (done) throw new Error(`the server has ended: ${this.#output}`);
    return JSON.parse(value) as Memory;
  }

  stop(): Promise<void> {
    return endProcess(this.#child); // its clients are ours, and need no goodbye
  }
}
