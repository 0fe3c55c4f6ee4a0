import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, spawnBound, untilListening } from './bound-process.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

/** Where a service listens. */
export interface Place {
  readonly port: number;
  readonly adminPort: number;
}

/** A real HAProxy on loopback. */
export interface Haproxy {
  readonly url: string;
  stop(): Promise<void>;
}

const SHIPPED = new URL('../../deploy/haproxy.cfg', import.meta.url);

/**
 * Starts HAProxy with the configuration that is shipped, but for where services are. Those that are not ready, or not
 * there yet, get nothing.
 */
export async function startHaproxy(services: {
  relay: readonly Place[];
  webhook?: readonly Place[];
  chat?: readonly Place[];
}): Promise<Haproxy> {
  const program = findProgram('haproxy', 'haproxy');
  const [dir, port] = [await mkdtemp(join(tmpdir(), 'heliograph-haproxy-')), await freePort()];
  const servers = (name: string) =>
    (services[name as keyof typeof services] ?? []).map(
      (place, i) => `  server ${name}-${i} 127.0.0.1:${place.port} check port ${place.adminPort}`,
    );
  const config = (await readFile(SHIPPED, 'utf8'))
    .replace(/maxconn \d+/, 'maxconn 8000') // what a test may open
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace(/^resolvers docker\n( .*\n)+/m, '')
    .replaceAll(/check port \d+ (.*) resolvers docker init-addr none/g, '$1')
    .replaceAll(/^ *server-template (\w+)- .*$/gm, (_, name: string) => servers(name).join('\n'));
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, config);
  const child = spawnBound(program, ['-f', file, '-db']);
  await untilListening(child, port);
  return {
    url: `ws://127.0.0.1:${port}`,
    async stop() {
      await endProcess(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
