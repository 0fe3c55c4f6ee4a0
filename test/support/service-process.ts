import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnBound } from './bound-process.ts';
import { TEST_ENGINE } from './engines.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import type { NetworkNamespace } from './network-namespace.ts';

const THIS_BUILD = fileURLToPath(new URL('../../dist', import.meta.url));

const START_TIMEOUT_MS = 60_000;

/** A publisher or author in tests may do more than one is allowed by default. */
const UNLIMITED = { WEBHOOK_RATE: '0', WEBHOOK_STORAGE: '0B', COMMENT_RATE: '0' };

type Role = 'relay' | 'webhook' | 'chat' | 'outbox' | 'canary' | 'standalone';

/** A built service in its own process, with its admin port on loopback. Disposing kills it. */
export interface ServiceProcess extends AsyncDisposable {
  readonly pid: number;
  /** Its address. */
  readonly host: string;
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

/** Returns the ports of a service from its output so far; undefined until all of them are known. */
function loggedPorts(role: Role, output: string): { adminPort: number; ports: Record<string, number> } | undefined {
  const lines = output.split('\n').slice(0, -1);
  const logged = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const adminPort = logged.find(({ msg, port }) => port !== undefined && msg.includes('admin server'))?.port;
  const port = logged.find(({ msg, port }) => port !== undefined && !msg.includes('admin server'))?.port;
  const printed = (pattern: RegExp) => Number(pattern.exec(output)?.[1]);
  const ports: Record<string, number> =
    role === 'standalone'
      ? {
          relay: printed(/^ {2}relay +ws:\/\/localhost:(\d+)\//m),
          webhook: printed(/^ {2}webhook +http:\/\/localhost:(\d+)\//m),
          chat: printed(/^ {2}chat +http:\/\/localhost:(\d+)\//m),
        }
      : role === 'outbox' || role === 'canary'
        ? {}
        : { [role]: port };
  return adminPort && Object.values(ports).every(Boolean) ? { adminPort, ports } : undefined;
}

/**
 * Starts a service on ports that the system chooses, unless `env` names them, and waits until it is ready. A chat keeps its
 * comments in memory. The `port` of `standalone` is that of its chat.
 *
 * @param options.build the folder of another build than this one, such as `olderBuild` returns
 * @param options.program arguments of Node, instead of the built main file
 * @param options.space a network namespace, on whose address it listens then
 * @param options.openFiles limit of open files
 * @param options.until the endpoint that has to respond with 200
 */
export async function startService(
  role: Role,
  env: Readonly<Record<string, string>>,
  options: {
    build?: string | undefined;
    program?: readonly string[] | undefined;
    space?: NetworkNamespace | undefined;
    openFiles?: number;
    until?: 'readyz' | 'livez';
  } = {},
): Promise<ServiceProcess> {
  // Several processes cannot share a port that the system chooses for each.
  const port = 'RELAY_PROCESSES' in env ? String(await freePort()) : '0';
  const own = {
    ...UNLIMITED,
    ADMIN_PORT: '0',
    RELAY_PORT: port,
    WEBHOOK_PORT: '0',
    CHAT_PORT: '0',
    CHAT_DB: ':memory:',
  };
  const main = join(options.build ?? THIS_BUILD, role, 'main.js');
  const { address: host, command: inside } = options.space ?? { address: '127.0.0.1', command: [] };
  const command = [...inside, process.execPath, ...(options.program ?? [main])];
  const limited = options.openFiles
    ? ['sh', '-c', `ulimit -n ${options.openFiles} && exec "$0" "$@"`, ...command]
    : command;
  const [program = '', ...args] = limited;
  const child = spawnBound(program, args, {
    PATH: process.env.PATH,
    RELAY_ENGINE: TEST_ENGINE,
    ...own,
    ...(options.space && { ADMIN_HOST: '0.0.0.0' }),
    ...env,
  });
  let [log, output] = ['', ''];
  child.stdout?.on('data', (text) => {
    output = (output + text).slice(0, 20_000);
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text) => {
      log = (log + text).slice(-200_000);
    });
  }
  const exited = once(child, 'exit');
  const started = await eventually(async () => {
    if (child.exitCode !== null) return undefined;
    const found = loggedPorts(role, output);
    if (!found) throw new Error(`${role} does not listen: ${log}`);
    const { status } = await fetch(`http://${host}:${found.adminPort}/${options.until ?? 'readyz'}`);
    if (status !== 200) throw new Error(`${role} is not ready: ${log}`);
    return found;
  }, START_TIMEOUT_MS);
  if (!started) throw new Error(`${role} ended with ${child.exitCode}: ${log}`);
  const { ports, adminPort } = started;
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    pid: child.pid ?? 0,
    host,
    port: ports[role === 'standalone' ? 'chat' : role] ?? 0,
    ports,
    adminPort,
    log: () => log,
    async metric(name) {
      const text = await (await fetch(`http://${host}:${adminPort}/metrics`)).text();
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
