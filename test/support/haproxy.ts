import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';
import { spawnBound } from './redis-process.ts';

/** A real HAProxy on loopback, which gives each new connection to the relay that has the fewest. */
export interface Haproxy {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts HAProxy before relays; those that are not ready, or not there yet, get nothing. */
export async function startHaproxy(relays: readonly { port: number; adminPort: number }[]): Promise<Haproxy> {
  const program = findProgram('haproxy', 'haproxy');
  const [dir, port] = [await mkdtemp(join(tmpdir(), 'heliograph-haproxy-')), await freePort()];
  const servers = relays.map(
    (relay, i) => `server relay${i} 127.0.0.1:${relay.port} check port ${relay.adminPort} inter 200ms fall 1 rise 1`,
  );
  const config = `
global
  maxconn 8000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout tunnel 180s
  option redispatch
  retries 3
frontend clients
  bind 127.0.0.1:${port}
  default_backend relays
backend relays
  balance leastconn
  option httpchk GET /readyz
  ${servers.join('\n  ')}
`;
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, config);
  const child = spawnBound(program, ['-f', file, '-db']);
  let output = '';
  child.stderr?.on('data', (text) => {
    output += text;
  });
  child.stdout?.resume();
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`haproxy ended: ${output}`);
    const socket = createConnection(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  });
  return {
    url: `ws://127.0.0.1:${port}`,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
