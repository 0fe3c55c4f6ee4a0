import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';
import { spawnBound } from './redis-process.ts';

/** A real nginx on loopback. */
export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts nginx with this inside of `http { }`; `PORT` stands for its port, `DIR` for a folder of its own. */
export async function startNginx(http: string): Promise<Nginx> {
  const program = findProgram('nginx', 'nginx');
  const [dir, port] = [await mkdtemp(join(tmpdir(), 'heliograph-nginx-')), await freePort()];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${dir}/${name};`,
  );
  const config = `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
    events { worker_connections 8192; }
    http { access_log off; ${temporary.join(' ')}
    ${http.replaceAll('PORT', String(port)).replaceAll('DIR', dir)} }`;
  await writeFile(join(dir, 'nginx.conf'), config);
  const child: ChildProcess = spawnBound(program, ['-p', dir, '-e', `${dir}/error.log`, '-c', join(dir, 'nginx.conf')]);
  let output = '';
  child.stderr?.on('data', (text) => {
    output += text;
  });
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${output}`);
    const socket = createConnection(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  });
  return {
    port,
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
