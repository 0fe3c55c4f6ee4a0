import { once } from 'node:events';
import { spawnBound } from './bound-process.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

/** A service as a process of its own, as built, with its admin port on loopback. */
export interface ServiceProcess {
  readonly pid: number;
  readonly port: number;
  /** The ports of all services in it, by their names. */
  readonly ports: Readonly<Record<string, number>>;
  readonly adminPort: number;
  /** Everything it has logged. */
  log(): string;
  /** The sum of a metric over its labels, as `/metrics` shows it. */
  metric(name: string): Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves at its end, with the exit code. */
  ended(): Promise<number | null>;
  /** Sends the signal and resolves with the exit code; null where the signal itself ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts a service and waits until it is ready. `port` is that of RELAY_PORT, WEBHOOK_PORT or CHAT_PORT (with all of
 * them in one, the chat's); a chat keeps its comments in memory. `program` is what Node runs instead of the built
 * main file; `openFiles` is its limit of open files; `until` is what it waits for.
 */
export async function startService(
  role: 'relay' | 'webhook' | 'chat' | 'standalone',
  env: Readonly<Record<string, string>>,
  options: { program?: readonly string[] | undefined; openFiles?: number; until?: 'readyz' | 'livez' } = {},
): Promise<ServiceProcess> {
  const adminPort = await freePort();
  const own: Record<string, string> = { ADMIN_PORT: String(adminPort), CHAT_DB: ':memory:' };
  const ports: Record<string, number> = {};
  for (const name of role === 'standalone' ? ['relay', 'webhook', 'chat'] : [role]) {
    const variable = `${name.toUpperCase()}_PORT`;
    own[variable] = env[variable] ?? String(await freePort());
    ports[name] = Number(own[variable]);
  }
  const main = new URL(`../../dist/${role}/main.js`, import.meta.url).pathname;
  const command = [process.execPath, ...(options.program ?? [main])];
  const limited = options.openFiles
    ? ['sh', '-c', `ulimit -n ${options.openFiles} && exec "$0" "$@"`, ...command]
    : command;
  const [program = '', ...args] = limited;
  const child = spawnBound(program, args, {
    PATH: process.env.PATH,
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
    async stop(signal = 'SIGTERM') {
      child.kill('SIGCONT');
      child.kill(signal);
      await exited;
      return child.exitCode;
    },
  };
}
