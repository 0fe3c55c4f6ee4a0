import { type ChildProcess, execFileSync } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { endProcess, spawnBound } from './bound-process.ts';
import { eventually } from './eventually.ts';
import { findProgram, thisMachine } from './find-program.ts';
import { freePort } from './free-port.ts';

/** Where Debian keeps the programs of PostgreSQL, by version. */
const DEBIAN = '/usr/lib/postgresql';

/** A PostgreSQL server on loopback, with an empty database. */
export class PostgresProcess implements AsyncDisposable {
  readonly port: number;
  readonly #dir: string;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(port: number, dir: string) {
    this.port = port;
    this.#dir = dir;
  }

  static async start(): Promise<PostgresProcess> {
    programPath('initdb'); // installs the package, which creates the user
    const dir = await mkdtemp(join(tmpdir(), 'heliograph-postgres-'));
    if (thisMachine().isRoot) chownSync(dir, idOf('-u'), idOf('-g'));
    const data = join(dir, 'data');
    const options = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    const [file = '', ...args] = command('initdb', options);
    execFileSync(file, args, { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
    const postgres = new PostgresProcess(await freePort(), dir);
    await postgres.run();
    return postgres;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Runs the server, also again after `kill`, with the same data. */
  async run(): Promise<void> {
    const settings = ['fsync=off', `unix_socket_directories=${this.#dir}`].flatMap((setting) => ['-c', setting]);
    const [file = '', ...args] = command('postgres', [
      ...['-D', join(this.#dir, 'data'), '-h', '127.0.0.1', '-p', String(this.port)],
      ...settings,
    ]);
    const child = spawnBound(file, args);
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        this.#output = (this.#output + text).slice(-10_000);
      });
    }
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`postgres ended: ${this.#output}`);
      await this.query('SELECT 1');
    }, 30_000);
  }

  /** Runs statements on a connection of their own. Returns the rows of a single one. */
  async query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query(text, values && [...values])).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** Ends the server at once, without closing connections properly. */
  async kill(): Promise<void> {
    if (this.#child) await endProcess(this.#child, 'SIGQUIT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Returns the command that runs a program of PostgreSQL, which refuses to run as root. */
function command(name: string, args: readonly string[]): string[] {
  const path = programPath(name);
  if (!thisMachine().isRoot) return [path, ...args];
  const user = ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--pdeathsig', 'KILL'];
  return ['/usr/bin/setpriv', ...user, path, ...args];
}

function programPath(name: string): string {
  const installed = () => {
    try {
      const [newest] = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
      return newest === undefined ? undefined : join(DEBIAN, newest, 'bin', name);
    } catch {
      return undefined;
    }
  };
  const machine = thisMachine();
  const found = installed();
  if (found && machine.isExecutable(found)) return found;
  // Debian has no program of the server on the PATH, so that finding one installs the package.
  return machine.isDebian
    ? (findProgram('pg_ctlcluster', 'postgresql') && installed()) || ''
    : findProgram(name, 'postgresql');
}

function idOf(which: '-u' | '-g'): number {
  return Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' }));
}
