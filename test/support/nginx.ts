import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, spawnBound, untilListening } from './bound-process.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

/** A real nginx on loopback. Disposing stops it. */
export interface Nginx extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Starts nginx with this text within `http { }`, in which `PORT` is replaced by its port and `DIR` by a folder of its own.
 * `modules` are files to load.
 */
export async function startNginx(
  http: string,
  options: { modules?: readonly string[]; connections?: number } = {},
): Promise<Nginx> {
  const { modules = [], connections = 8192 } = options;
  const program = findProgram('nginx', 'nginx');
  const [dir, port] = [await mkdtemp(join(tmpdir(), 'heliograph-nginx-')), await freePort()];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${dir}/${name};`,
  );
  const config = `${modules.map((module) => `load_module ${module};`).join(' ')} daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
    events { worker_connections ${connections}; }
    http { access_log off; ${temporary.join(' ')}
    ${http.replaceAll('PORT', String(port)).replaceAll('DIR', dir)} }`;
  await writeFile(join(dir, 'nginx.conf'), config);
  const child = spawnBound(program, ['-p', dir, '-e', `${dir}/error.log`, '-c', join(dir, 'nginx.conf')]);
  await untilListening(child, port);
  const stop = async () => {
    await endProcess(child);
    await rm(dir, { recursive: true, force: true });
  };
  return {
    port,
    pid: child.pid as number,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
