import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { docker } from './docker-engine.ts';

const lab = inject('docker');
const START_MS = 60_000;

/** A relay and a webhook need Redis; in these tests the other roles run without. */
const ROLES = [
  { role: 'standalone', settings: [], mounts: ['--tmpfs=/data:uid=12345'] },
  { role: 'relay', settings: ['REDIS_URL=redis://redis:6379'], mounts: [] },
  { role: 'webhook', settings: ['REDIS_URL=redis://redis:6379', 'WEBHOOK_TOKENS=a-token-of-the-tests'], mounts: [] },
  { role: 'chat', settings: ['WEBHOOK_TOKEN=a-token-of-the-tests'], mounts: ['--tmpfs=/data:uid=12345'] },
] as const;

/** As strict as a cluster may be: nothing to write to, no capability, a user that the image does not know, little memory. */
const STRICT = ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges', '--user=12345', '--memory=256m'];

describe.skipIf(lab.unavailable)('the image', () => {
  const { images } = lab;
  const call = (...args: string[]) => docker(lab, args);
  const created: string[] = [];
  const networks: string[] = [];

  /** Starts a container that is removed after the test. Returns its name. */
  async function start(args: readonly string[]): Promise<string> {
    const name = `heliograph-test-${randomUUID().slice(0, 8)}`;
    created.push(name);
    await call('run', '--detach', '--name', name, ...args);
    return name;
  }

  /** Starts a Redis in a network of its own, in which its name is `redis`. Returns the name of the network. */
  async function startRedis(): Promise<string> {
    const network = `heliograph-test-${randomUUID().slice(0, 8)}`;
    await call('network', 'create', network);
    networks.push(network);
    await start(['--network', network, '--network-alias', 'redis', images.redis]);
    return network;
  }

  afterEach(async () => {
    for (const name of created.splice(0)) await call('rm', '--force', '--volumes', name);
    for (const name of networks.splice(0)) await call('network', 'rm', name);
  });

  it.each(ROLES)(
    'runs as $role without privileges and with a read-only file system, becomes healthy, and ends at SIGTERM',
    async ({ role, settings, mounts }) => {
      const network = settings.some((setting) => setting.startsWith('REDIS_URL')) ? await startRedis() : 'bridge';
      const environment = settings.map((setting) => `--env=${setting}`);
      const name = await start([...STRICT, ...mounts, ...environment, '--network', network, images.heliograph, role]);
      await eventually(async () => {
        const health = await call('inspect', '--format', '{{.State.Status}} {{.State.Health.Status}}', name);
        expect(health, await call('logs', name)).toBe('running healthy');
      }, START_MS);
      await call('stop', '--time', '60', name);
      expect(await call('inspect', '--format', '{{.State.ExitCode}} {{.State.OOMKilled}}', name)).toBe('0 false');
    },
    2 * START_MS,
  );

  it(
    'runs the load test without a writable folder',
    async () => {
      const args = ['loadtest', '--clients=20', '--ramp=0s', '--duration=1s'];
      const output = await call('run', '--rm', ...STRICT, images.heliograph, ...args);
      expect(output).toMatch(/20/);
    },
    START_MS,
  );

  it(
    'holds no compiler, no npm, and one binary of each native package',
    async () => {
      const list = async (command: string) =>
        (await call('run', '--rm', '--user=0', '--entrypoint=sh', images.heliograph, '-c', command))
          .split('\n')
          .filter(Boolean);
      expect(await list('for tool in cc gcc make npm npx yarn corepack; do command -v $tool; done; true')).toEqual([]);
      const binaries = await list("find /app -name '*.node' | sed 's#.*node_modules/##'");
      const packages = binaries.map((path) => path.split('/').slice(0, -1).join('/'));
      expect(packages.filter((path) => path === 'uWebSockets.js')).toHaveLength(1);
      expect(packages.filter((path) => path.startsWith('@libsql/'))).toHaveLength(1);
      expect(packages).toHaveLength(2);
    },
    START_MS,
  );

  it('adds at most 100 MB to its base image', async () => {
    const [, base = ''] =
      /^FROM (\S+) AS node$/m.exec(
        await import('node:fs').then(({ readFileSync }) =>
          readFileSync(new URL('../../deploy/Dockerfile', import.meta.url), 'utf8'),
        ),
      ) ?? [];
    const size = async (image: string) => Number(await call('image', 'inspect', '--format', '{{.Size}}', image));
    expect((await size(images.heliograph)) - (await size(base))).toBeLessThan(100e6);
  });

  it(
    'limits the heap to a share of the memory of its container',
    async () => {
      const [node, ...flags] = JSON.parse(
        await call('image', 'inspect', '--format', '{{json .Config.Entrypoint}}', images.heliograph),
      );
      const print = ['-p', 'v8.getHeapStatistics().heap_size_limit'];
      const args = ['--rm', '--memory=256m', '--entrypoint', node, images.heliograph, ...flags.slice(0, -1), ...print];
      expect(Number(await call('run', ...args))).toBeLessThan(0.7 * 256 * 1024 ** 2);
    },
    START_MS,
  );

  it('declares no volume, so that no role leaves one behind', async () => {
    expect(await call('image', 'inspect', '--format', '{{json .Config.Volumes}}', images.heliograph)).toBe('null');
  });
});
