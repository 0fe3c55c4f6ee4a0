import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { buildContext, buildStages, only, parseCopy, parseDockerfile, type Stage } from '../support/dockerfile.ts';
import { startLoadTest } from '../support/load-test-process.ts';
import { tableRows } from '../support/pages.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { startService } from '../support/service-process.ts';

const run = promisify(execFile);
/** Only the Node of the image knows it, and this machine's may be older. */
const HEAP_FLAG = '--max-old-space-size-percentage=60';
const YOUNG_FLAG = '--max-semi-space-size=1';
const ROOT = new URL('../../', import.meta.url);
const stages = parseDockerfile(readFileSync(new URL('deploy/Dockerfile', ROOT), 'utf8'));
const image = stages.at(-1) as Stage;
const list = (rest: string): string[] => JSON.parse(rest.slice(rest.indexOf('[')));

describe('the Dockerfile', () => {
  it('builds an image without npm and build tools that does not run as root', () => {
    expect(stages[0]).toMatchObject({ base: 'node:24-trixie-slim' });
    expect(stages.slice(1).map(({ base }) => base)).toEqual(stages.slice(1).map(() => stages[0]?.name));
    expect(only(image, 'RUN')).toMatch(/^rm -rf .*\/usr\/local\/lib\/node_modules .*\/usr\/local\/bin\/npm /);
    expect(only(image, 'USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/); // numeric: Kubernetes cannot resolve names
    const copied = image.instructions.filter(({ name }) => name === 'COPY').map(({ rest }) => parseCopy(rest));
    expect(copied.flatMap(({ from }) => from ?? [])).toEqual(['production', 'build']);
  });

  it('starts its process without a shell, so that signals arrive', () => {
    const flags = ['--enable-source-maps', HEAP_FLAG, YOUNG_FLAG];
    expect(list(only(image, 'ENTRYPOINT'))).toEqual(['node', ...flags, 'deploy/role.mjs']);
    expect(list(only(image, 'CMD'))).toEqual(['standalone']);
    expect(list(only(image, 'HEALTHCHECK'))[0]).toBe('node');
  });

  it('starts relays as the scripts of npm do, with a small young generation', () => {
    const { scripts } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
    for (const script of [scripts.start, scripts.relay]) expect(script.split(' ')).toContain(YOUNG_FLAG);
  });

  it('exposes the default ports of every role', () => {
    const defaults = new Map(tableRows('Variable').map(([name, value]) => [name, value?.replaceAll('`', '')]));
    const ports = ['CHAT_PORT', 'RELAY_PORT', 'WEBHOOK_PORT'].map((name) => defaults.get(`\`${name}\``));
    expect(only(image, 'EXPOSE').split(' ')).toEqual([...ports, '9101', '9102', '9103', '9104']);
  });

  it('sends nothing to the build that it does not copy', () => {
    const sources = stages
      .flatMap(({ instructions }) => instructions)
      .filter(({ name }) => name === 'COPY')
      .map(({ rest }) => parseCopy(rest))
      .flatMap(({ from, sources }) => (from === undefined ? sources : []));
    const stray = buildContext().filter(
      (file) => !sources.some((source) => file === source || file.startsWith(`${source}/`)),
    );
    expect(stray).toEqual([]);
  });
});

describe('the image built from a clean clone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-image-'));
  const app = join(folder, image.name, 'app');
  const [, ...entry] = list(only(image, 'ENTRYPOINT'))
    .filter((word) => word !== HEAP_FLAG || process.allowedNodeEnvironmentFlags.has('--max-old-space-size-percentage'))
    .map((word) => (word.startsWith('deploy/') ? join(app, word) : word));
  const variables = Object.fromEntries(
    only(image, 'ENV')
      .split(' ')
      .map((pair) => pair.split('=') as [string, string]),
  );
  const files = () => readdirSync(app, { recursive: true, encoding: 'utf8' }).sort();

  beforeAll(() => buildStages(stages, folder), 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const healthcheck = (adminPort: number) => {
    const [, script = ''] = list(only(image, 'HEALTHCHECK'));
    const env = { PATH: process.env.PATH, ADMIN_PORT: String(adminPort) };
    return run(process.execPath, [join(app, script)], { env });
  };

  it.each(['standalone', 'relay', 'webhook', 'chat', 'outbox'] as const)(
    'runs as %s, is healthy, exits at SIGTERM, and writes only to expected paths',
    async (role) => {
      const before = files();
      const redis = role === 'relay' || role === 'webhook' ? { REDIS_URL: inject('redisUrl') } : {};
      const env = {
        ...variables,
        ...redis,
        HELIOGRAPH_PREFIX: randomPrefix(),
        CHAT_DB: join(folder, `${role}.db`),
        WEBHOOK_TOKENS: 'a-token-of-the-tests',
        WEBHOOK_TOKEN: 'a-token-of-the-tests',
        DATABASE_URL: 'postgres://127.0.0.1:1/shop', // cannot be reached, so that the outbox is alive, but not ready
        ADMIN_HOST: '127.0.0.1',
        ...(role === 'standalone' ? { RELAY_PORT: '0', WEBHOOK_PORT: '0', CHAT_PORT: '0' } : {}),
      };
      const service = await startService(role, env, {
        program: [...entry, role],
        until: role === 'outbox' ? 'livez' : 'readyz',
      });
      await healthcheck(service.adminPort);
      expect(await service.stop()).toBe(0);
      await expect(healthcheck(service.adminPort)).rejects.toThrow(/ECONNREFUSED/);
      expect(files()).toEqual(before);
    },
  );

  it('runs as loadtest with an in-memory cluster, and reports success', async () => {
    const before = files();
    const args = ['loadtest', '--clients=20', '--ramp=0s', '--duration=1s', '--json=-'];
    const { code, report } = await startLoadTest(args, { ...variables, PATH: '' }, entry).ended;
    expect(report).toMatchObject({ clients: { opened: 20 }, deliveries: { total: 20 } });
    expect(report?.cluster).toContain('in memory');
    expect(code).toBe(0);
    expect(files()).toEqual(before);
  });

  it('lists the roles if started without one', async () => {
    const [script = ''] = entry.slice(-1);
    const services = fileURLToPath(new URL('services', ROOT));
    const roles = readdirSync(services).filter((name) => existsSync(join(services, name, 'main.ts')));
    expect(roles).toEqual(expect.arrayContaining(['loadtest', 'relay', 'standalone']));
    await expect(run(process.execPath, [script, 'relais'])).rejects.toThrow(
      `the first argument must be a role: ${roles.join(', ')}`,
    );
  });

  it('contains no build or test tools, and one native binary for each native package', () => {
    const isThere = (name: string) => existsSync(join(app, 'node_modules', name, 'package.json'));
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
    expect(Object.keys(dependencies).filter((name) => !isThere(name))).toEqual([]);
    expect(Object.keys(devDependencies).filter(isThere)).toEqual([]);
    const binaries = readdirSync(join(app, 'node_modules/uWebSockets.js')).filter((name) => name.endsWith('.node'));
    expect(binaries).toContain(`uws_linux_${process.arch}_${process.versions.modules}.node`);
    expect(binaries.length).toBeLessThan(4);
  });
});
