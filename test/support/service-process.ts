import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnBound } from './bound-process.ts';
import { TEST_ENGINE } from './engines.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const THIS_BUILD = fileURLToPath(new URL('../../dist', import.meta.url));

/** A publisher or author in tests may do more than one is allowed by default. */
const UNLIMITED = { WEBHOOK_RATE: '0', WEBHOOK_STORAGE: '0B', COMMENT_RATE: '0' };

/** A built service in its own process, with its admin port on loopback. Disposing kills it. */
export interface ServiceProcess extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** The ports of all its services by name. */
  readonly ports: Readonly<Record<string, number>>;
  readonly adminPort: number;
  /** Returns everything that it has logged. */
  log(): string;
  /** Returns the sum of a metric over its labels, from `/metrics`. */
  metric(name: string): Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code once it has exited. */
  ended(): Promise<number | null>;
  /** Sends the signal and resolves with the exit code; null if the signal terminated it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts a service and waits until it is ready. A chat keeps its comments in memory. The `port` of `standalone` is that of
 * its chat.
 *
 * @param options.build the folder of another build than this one, such as `olderBuild` returns
 * @param options.program arguments of Node, instead of the built main file
 * @param options.openFiles limit of open files
 * @param options.until the endpoint that has to respond with 200
 */
export async function startService(
  role: 'relay' | 'webhook' | 'chat' | 'outbox' | 'standalone',
  env: Readonly<Record<string, string>>,
  options: {
    build?: string | undefined;
    program?: readonly string[] | undefined;
    openFiles?: number;
    until?: 'readyz' | 'livez';
  } = {},
): Promise<ServiceProcess> {
  const adminPort = await freePort();
  const own: Record<string, string> = { ...UNLIMITED, ADMIN_PORT: String(adminPort), CHAT_DB: ':memory:' };
  const ports: Record<string, number> = {};
  for (const name of role === 'standalone' ? ['relay', 'webhook', 'chat'] : [role]) {
    const variable = `${name.toUpperCase()}_PORT`;
    own[variable] = env[variable] ?? String(await freePort());
    ports[name] = Number(own[variable]);
  }
  const main = join(options.build ?? THIS_BUILD, role, 'main.js');
  const command = [process.execPath, ...(options.program ?? [main])];
  const limited = options.openFiles
    ? ['sh', '-c', `ulimit -n ${options.openFiles} && exec "$0" "$@"`, ...command]
    : command;
  const [program = '', ...args] = limited;
  const child = spawnBound(program, args, {
    PATH: process.env.PATH,
    RELAY_ENGINE: TEST_ENGINE,
    ...own,
    ...env,
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text) => {
      log = (log + text).slice(-200_000);
    });
  }
  const exited = once(child, 'exit');
  const admin = `http://127.0.0.1:${env.ADMIN_PORT ?? adminPort}`;
  await eventually(async () => {
    if (child.exitCode !== null) return;
    const { status } = await fetch(`${admin}/${options.until ?? 'readyz'}`);
    if (status !== 200) throw new Error(`${role} is not ready: ${log}`);
  }, 15_000);
  if (child.exitCode !== null) throw new Error(`${role} ended with ${child.exitCode}: ${log}`);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    pid: child.pid ?? 0,
    port: ports[role === 'standalone' ? 'chat' : role] ?? 0,
    ports,
    adminPort: Number(env.ADMIN_PORT ?? adminPort),
    log: () => log,
    async metric(name) {
      const text = await (await fetch(`${admin}/metrics`)).text();
      return text
        .split('\n')
        .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
    kill: (signal) => void child.kill(signal),
    async ended() {
      await exited;
      return child.exitCode;
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop('SIGKILL')),
  };
}
