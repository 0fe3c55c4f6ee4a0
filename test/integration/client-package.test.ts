import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const PATH = `/heliograph-client-${version}.tgz`;

/** Prints the first update of a topic, then ends by itself: nothing of the library keeps a process alive. */
const LISTENS = (relay: string) => `
const heliograph = new Heliograph('${relay}', { topics: ['chat'], since: { chat: 0 }, transports: ['sse'] });
heliograph.on('update', ({ topic }) => {
  console.log(topic);
  heliograph.close();
});
`;

const TYPED = `
const heliograph = new Heliograph('https://push.example.org', { topics: ['a'], since: { a: 1 } });
heliograph.on('update', ({ topic, version }: TopicUpdate) => console.log(topic.length + version));
heliograph.on('error', ({ code }) => console.log(code.length));
// @ts-expect-error
heliograph.subscribe(7);
`;

let relay: RelayFixture;
/** A project that installed the package, and nothing else, from the relay. */
let dir: string;

const npm = (...args: string[]) => {
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--cache', join(dir, 'cache')];
  return run('npm', [...args, ...quiet], { cwd: join(dir, 'app') });
};

/** Packs the library again, on a machine with other habits. */
async function packElsewhere(): Promise<Buffer> {
  const script = `
    import { packClient } from '${ROOT}deploy/client-package.mjs';
    process.umask(0o077);
    process.stdout.write(await packClient('${ROOT}'));`;
  const options = { cwd: dir, env: { ...process.env, TZ: 'Asia/Tokyo', LANG: 'tr_TR' }, encoding: 'buffer' } as const;
  return (await run(process.execPath, ['--input-type=module', '-e', script], options)).stdout;
}

const inApp = (path: string) => join(dir, 'app', path);
const readApp = (path: string) => JSON.parse(readFileSync(inApp(path), 'utf8'));

beforeAll(async () => {
  relay = await startRelay();
  await relay.publish('chat');
  dir = mkdtempSync(join(tmpdir(), 'heliograph-package-'));
  mkdirSync(inApp(''));
  writeFileSync(inApp('package.json'), '{"private":true}');
  await npm('install', `${relay.http}/heliograph-client.tgz`);
});
afterAll(async () => {
  await relay.stop();
  rmSync(dir, { recursive: true });
});

describe('the npm package of the client library', () => {
  it('is on every relay: the same bytes for a version, to which the name without a version leads', async () => {
    const [named, latest] = [await fetch(relay.http + PATH), await fetch(`${relay.http}/heliograph-client.tgz`)];
    expect(latest.url).toBe(relay.http + PATH);
    expect(named.headers.get('cache-control')).toContain('immutable');
    const bytes = Buffer.from(await named.arrayBuffer());
    expect(Buffer.from(await latest.arrayBuffer()).equals(bytes)).toBe(true);
    expect((await packElsewhere()).equals(bytes)).toBe(true);
    const redirect = await fetch(`${relay.http}/heliograph-client.tgz`, { redirect: 'manual', method: 'HEAD' });
    expect([redirect.status, redirect.headers.get('cache-control')]).toEqual([302, 'no-cache']);
    const page = readFileSync(join(ROOT, 'services/client/README.md'), 'utf8');
    expect(page.match(/heliograph-client-[\d.]+\.tgz/g)).toEqual(Array(3).fill(PATH.slice(1)));
    await expectProblem(await fetch(`${relay.http}/heliograph-client-0.0.1.tgz`), 404, 'not_found');
  });

  it('is installed alone, without dependencies, and its hash is pinned', async () => {
    expect(readdirSync(inApp('node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['heliograph-client']);
    const manifest = readApp('node_modules/heliograph-client/package.json');
    expect(manifest).toMatchObject({ version, sideEffects: false });
    expect(manifest).not.toHaveProperty('dependencies');
    const bytes = Buffer.from(await (await fetch(relay.http + PATH)).arrayBuffer());
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    expect(readApp('package-lock.json').packages['node_modules/heliograph-client'].integrity).toBe(integrity);
  });

  it('is installed again from a committed tarball', async () => {
    const bytes = Buffer.from(await (await fetch(relay.http + PATH)).arrayBuffer());
    writeFileSync(inApp('client.tgz'), bytes);
    await npm('install', './client.tgz');
    await npm('ci');
    expect(readApp('node_modules/heliograph-client/package.json').version).toBe(version);
  });

  it.each([
    ['an ES module', 'listen.mjs', "import { Heliograph } from 'heliograph-client';"],
    ['CommonJS', 'listen.cjs', "const { Heliograph } = require('heliograph-client');"],
  ])('runs in Node as %s', async (_, name, imports) => {
    writeFileSync(inApp(name), imports + LISTENS(relay.http));
    const { stdout } = await run(process.execPath, [name], { cwd: inApp('') });
    expect(stdout).toBe('chat\n');
  });

  it('is imported without an effect, so that a server renders pages that use it and bundlers leave it out', async () => {
    const entry = (contents: string) => ({ contents, resolveDir: inApp(''), loader: 'js' as const });
    const bundle = async (contents: string) => {
      const options = { bundle: true, format: 'esm', platform: 'browser', write: false, minify: true } as const;
      const { outputFiles } = await build({ ...options, stdin: entry(contents) });
      return outputFiles[0]?.text ?? '';
    };
    expect(await bundle("import { Heliograph } from 'heliograph-client'; console.log(1);")).toBe('console.log(1);\n');
    const used = await bundle(`import { Heliograph } from 'heliograph-client'; ${LISTENS(relay.http)}`);
    expect(used).toContain('/events?');
    expect(used).not.toContain('require');
    writeFileSync(
      inApp('render.mjs'),
      "const { Heliograph } = await import('heliograph-client'); console.log(typeof Heliograph);",
    );
    expect((await run(process.execPath, ['render.mjs'], { cwd: inApp('') })).stdout).toBe('function\n');
  });

  it.each(['', 'cjs/'])('has source maps with sources: %sheliograph-client.js', (folder) => {
    const script = readFileSync(inApp(`node_modules/heliograph-client/${folder}heliograph-client.js`), 'utf8');
    expect(script.trimEnd()).toMatch(/\/\/# sourceMappingURL=heliograph-client\.js\.map$/);
    const map = readApp(`node_modules/heliograph-client/${folder}heliograph-client.js.map`);
    expect(map.sources).toContainEqual(expect.stringMatching(/client\/heliograph-client\.ts$/));
    expect(map.sourcesContent).toHaveLength(map.sources.length);
    for (const text of map.sourcesContent) expect(text.length).toBeGreaterThan(0);
  });

  it.each(['nodenext', 'bundler'])(
    'has types for both formats, with module resolution %s',
    async (moduleResolution) => {
      const imports = `import { Heliograph, type TopicUpdate } from 'heliograph-client';
        import { invalidateOnUpdate } from 'heliograph-client/query';
        import { revalidateOnUpdate } from 'heliograph-client/swr';
        import { refreshOnUpdate } from 'heliograph-client/turbo';`;
      for (const name of ['typed.mts', 'typed.cts']) writeFileSync(inApp(name), imports + TYPED);
      const module = moduleResolution === 'bundler' ? 'preserve' : moduleResolution;
      const compilerOptions = { target: 'es2022', lib: ['es2022', 'dom'], module, moduleResolution, strict: true };
      const files = ['typed.mts', 'typed.cts'];
      const config = { compilerOptions: { ...compilerOptions, types: [], noEmit: true, skipLibCheck: false }, files };
      writeFileSync(inApp('tsconfig.json'), JSON.stringify(config));
      const { stdout } = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', inApp('')]).catch((error) => error);
      expect(stdout).toBe('');
    },
  );
});
