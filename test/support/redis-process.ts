import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, spawnBound } from './bound-process.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { redisProgram } from './redis-program.ts';
import { onSlowDisk } from './slow-disk.ts';

/** A separate `redis-server` on loopback, with its own folder. */
export class RedisProcess implements AsyncDisposable {
  readonly port: number;
  readonly dir: string;
  readonly #password: string;
  readonly #args: readonly string[];
  readonly #addresses: readonly string[];
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(deps: {
    port: number;
    dir: string;
    password: string;
    args: readonly string[];
    addresses: readonly string[];
  }) {
    this.port = deps.port;
    this.dir = deps.dir;
    this.#password = deps.password;
    this.#args = deps.args;
    this.#addresses = deps.addresses;
  }

  /**
   * Starts a server, on a free port by default.
   * @param options.addresses other addresses than that of loopback at which it listens
   * @param options.args additional arguments; a file and `--sentinel` start a Sentinel
   */
  static async start(
    options: { args?: readonly string[]; port?: number; password?: string; addresses?: readonly string[] } = {},
  ): Promise<RedisProcess> {
    const dir = await mkdtemp(join(tmpdir(), 'heliograph-redis-'));
    const { port = await freePort(), password = '', args = [], addresses = [] } = options;
    const redis = new RedisProcess({ port, dir, password, args, addresses });
    await redis.run();
    return redis;
  }

  get url(): string {
    return `redis://${this.#password && `:${this.#password}@`}127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('this Redis is not running');
    return this.#child.pid;
  }

  /**
   * Runs the server, also again after a `kill`, in the same folder and on the same port.
   * @param more arguments beside those of `start`
   */
  async run(more: readonly string[] = []): Promise<void> {
    const { HELIOGRAPH_TEST_APPENDFSYNC: appendFsync, HELIOGRAPH_TEST_FSYNC_DELAY: delayMs } = process.env;
    const persistence = appendFsync ? ['--appendonly', 'yes', '--appendfsync', appendFsync] : [];
    const usual = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      ...this.#addresses,
      ...(this.#addresses.length > 0 ? ['--protected-mode', 'no'] : []),
      '--dir',
      this.dir,
      '--save',
      '',
      '--daemonize',
      'no',
      ...(this.#password ? ['--requirepass', this.#password] : []),
    ];
    const args = [...this.#args, ...persistence, ...more, ...usual];
    const child = spawnBound(redisProgram(), args, delayMs ? onSlowDisk(Number(delayMs)) : process.env);
    this.#child = child;
    child.stdout?.on('data', (text) => {
      this.#output = (this.#output + text).slice(-10_000);
    });
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${this.#output}`);
      await requirePong(this.port);
    });
  }

  /** Runs the server again after a `kill`, without its data. */
  async runEmpty(): Promise<void> {
    for (const name of ['dump.rdb', 'appendonlydir']) await rm(join(this.dir, name), { recursive: true, force: true });
    await this.run();
  }

  /** Ends the server, without a graceful shutdown by default, and waits until it has exited. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child) await endProcess(child, signal);
  }

  /** Freezes the process: connections stay open, but it does not reply. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends the server and removes its folder. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function requirePong(port: number): Promise<void> {
  const socket = createConnection({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    const [reply] = await once(socket, 'data');
    if (!/PONG|NOAUTH|LOADING/.test(String(reply))) throw new Error(`Redis replied ${reply}`);
  } finally {
    socket.destroy();
  }
}
