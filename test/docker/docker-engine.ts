import { execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.ts';
import { findProgram, thisMachine } from '../support/find-program.ts';

const run = promisify(execFile);

/** Where a Docker engine answers, and with which configuration of the client. */
export interface DockerAccess {
  readonly host: string;
  readonly config: string;
}

/** A Docker engine that the tests may use. */
export interface DockerEngine extends DockerAccess {
  /** Whether the tests started it, so that it has no images. */
  readonly isOwn: boolean;
  stop(): Promise<void>;
}

/** Runs `docker` with these arguments. Returns what it printed; throws an error with its messages when it fails. */
export async function docker(access: DockerAccess, args: readonly string[], input?: string): Promise<string> {
  const env = { ...process.env, DOCKER_HOST: access.host, DOCKER_CONFIG: access.config, DOCKER_BUILDKIT: '1' };
  const call = run('docker', [...args], { env, maxBuffer: 64 * 1024 * 1024 });
  call.child.stdin?.end(input);
  const { stdout } = await call;
  return stdout.trim();
}

/**
 * Finds a Docker engine: the one that `DOCKER_HOST` names, the one at the default socket, or one that is started here
 * with a socket, data and process id of its own (as root; installs `docker.io` on Debian). Throws an error that says why
 * none can be had.
 */
export async function startDockerEngine(): Promise<DockerEngine> {
  const work = mkdtempSync(join(tmpdir(), 'heliograph-docker-'));
  const config = join(work, 'config');
  mkdirSync(join(config, 'cli-plugins'), { recursive: true });
  const remove = () => rmSync(work, { recursive: true, force: true });
  const existing = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
  if (await answers({ host: existing, config })) {
    await addPlugins(config, { host: existing, config }, work);
    return { host: existing, config, isOwn: false, stop: async () => remove() };
  }
  if (process.env.DOCKER_HOST) throw new Error(`no Docker engine answers at DOCKER_HOST=${existing}`);
  if (!thisMachine().isRoot) throw new Error('no Docker engine answers, and only root can start one');
  const dockerd = findProgram('dockerd', 'docker.io');
  const host = `unix://${work}/docker.sock`;
  const log = openSync(join(work, 'dockerd.log'), 'w');
  const child = spawn(
    dockerd,
    [
      '--storage-driver=overlay2',
      '-H',
      host,
      `--data-root=${work}/data`,
      `--exec-root=${work}/exec`,
      '--pidfile',
      join(work, 'pid'),
    ],
    { stdio: ['ignore', log, log] },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await eventually(async () => {
    if (child.exitCode !== null)
      throw new Error(`dockerd ended with ${child.exitCode}; its log is ${work}/dockerd.log`);
    if (!(await answers({ host, config }))) throw new Error(`dockerd does not answer; its log is ${work}/dockerd.log`);
  }, 60_000);
  await addPlugins(config, { host, config }, work);
  return {
    host,
    config,
    isOwn: true,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      remove();
    },
  };
}

async function answers(access: DockerAccess): Promise<boolean> {
  return docker(access, ['version', '--format', '{{.Server.Version}}']).then(
    () => true,
    () => false,
  );
}

/** Adds Compose and buildx where the client of this machine has none: from Debian trixie, whose programs run elsewhere too. */
async function addPlugins(config: string, access: DockerAccess, work: string): Promise<void> {
  const isThere = (name: string) =>
    docker({ ...access, config }, [name, 'version']).then(
      () => true,
      () => false,
    );
  if ((await isThere('compose')) && (await isThere('buildx'))) return;
  const mmdebstrap = findProgram('mmdebstrap', 'mmdebstrap');
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)']);
  const mirror = stdout.split('\n').find((uri) => /\/debian\/?$/.test(uri)) ?? '';
  const folder = join(work, 'plugins');
  await run(mmdebstrap, [
    '--variant=extract',
    '--quiet',
    '--include=docker-compose,docker-buildx',
    'trixie',
    folder,
    mirror,
  ]);
  const plugins = join(folder, 'usr/libexec/docker/cli-plugins');
  if (!existsSync(plugins)) throw new Error('Debian trixie has no Compose and buildx for Docker any more');
  for (const name of readdirSync(plugins)) copyFileSync(join(plugins, name), join(config, 'cli-plugins', name));
  rmSync(folder, { recursive: true });
}
