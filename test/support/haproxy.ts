import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, spawnBound, untilListening } from './bound-process.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

/** The ports of a service on loopback. */
export interface Place {
  readonly port: number;
  readonly adminPort: number;
}

/** A real HAProxy on loopback. Disposing stops it. */
export interface Haproxy extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const SHIPPED = new URL('../../deploy/haproxy.cfg', import.meta.url);

/** Starts HAProxy with the shipped configuration and these services. Services that are not ready get no requests. */
export async function startHaproxy(services: {
  relay: readonly Place[];
  webhook?: readonly Place[];
  chat?: readonly Place[];
}): Promise<Haproxy> {
  const servers = (name: string) =>
    (services[name as keyof typeof services] ?? []).map(
      (place, i) => `  server ${name}-${i} 127.0.0.1:${place.port} check port ${place.adminPort}`,
    );
  const config = (await readFile(SHIPPED, 'utf8'))
    .replace(/maxconn \d+/, 'maxconn 8000') // the file limit of the tests
    .replace('bind :8080', 'bind 127.0.0.1:PORT')
    .replace(/^resolvers docker\n( .*\n)+/m, '')
    .replaceAll(/check port \d+ (.*) resolvers docker init-addr none/g, '$1')
    .replaceAll(/^ *server-template (\w+)- .*$/gm, (_, name: string) => servers(name).join('\n'));
  return runHaproxy(config);
}

/** Starts HAProxy with this configuration, in which `PORT` is replaced by its port. */
export async function runHaproxy(config: string): Promise<Haproxy> {
  const program = findProgram('haproxy', 'haproxy');
  const [dir, port] = [await mkdtemp(join(tmpdir(), 'heliograph-haproxy-')), await freePort()];
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, config.replaceAll('PORT', String(port)));
  const child = spawnBound(program, ['-f', file, '-db']);
  await untilListening(child, port);
  const stop = async () => {
    await endProcess(child);
    await rm(dir, { recursive: true, force: true });
  };
  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    pid: child.pid as number,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
