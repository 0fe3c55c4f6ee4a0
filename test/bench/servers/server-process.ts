import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endProcess, spawnBound } from '../../support/bound-process.ts';
import { cpuUsOf, type MeasuredProcess, type Memory, residentBytesOf } from './measured-process.ts';

const START_TIMEOUT_MS = 20_000;

/** A server under measurement, in a Node.js process. */
export class ServerProcess implements MeasuredProcess {
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

  get cpuUs(): number {
    return cpuUsOf(this.#child.pid as number);
  }

  get residentBytes(): number {
    return residentBytesOf(this.#child.pid as number);
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
