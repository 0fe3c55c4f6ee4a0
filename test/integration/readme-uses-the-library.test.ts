import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { readmeExample } from '../support/readme-example.ts';
import { startRelay } from '../support/relay-fixture.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const listens = readmeExample('js', "import WebSocket from 'ws'");
const publishes = readmeExample('js', 'new Publisher(');
const records = readmeExample('js', 'heliograph/stats');

/** An app around the documented lines, which serves its own statistics and prints its ports. */
const RECORDED_APP = `
import { createServer } from 'node:http';
import express from 'express';
const app = express();
${records}
app.get('/hello/:name', (_request, response) => void response.send('hello'));
for (const handler of [app, stats.pages]) {
  const server = createServer(handler).listen(0, '127.0.0.1', () => console.log(server.address().port));
}
`;

/** Code that a strict compiler must accept, and lines that it must reject. */
const TYPED = `
import { Heliograph, type HeliographOptions, type Status, type TopicUpdate } from 'heliograph/client';

declare const token: string | undefined;
const options: HeliographOptions = { topics: ['a'] as const, since: { a: 1, b: null }, token, shared: 'ada' };
const heliograph = new Heliograph('https://push.example.org', { ...options, transports: ['sse'], token: async () => token });
heliograph.on('update', ({ topic, version, data, spread }: TopicUpdate) => {
  const [text, numbers]: [string, (number | undefined)[]] = [topic, [version, spread]];
  console.log(text, numbers, data);
});
heliograph.on('status', (status) => status satisfies Status);
heliograph.on('error', ({ code, topic }) => console.log(code.length, topic?.length));
const stop: () => void = heliograph.watch('a', async ({ signal, update }) => {
  await fetch('/', { signal });
  return update?.version;
}, { since: undefined, signal: AbortSignal.timeout(1) });
stop();
// @ts-expect-error
heliograph.on('nothing', () => {});
// @ts-expect-error
new Heliograph('https://push.example.org', { transports: ['carrier pigeon'] });
// @ts-expect-error
heliograph.subscribe(7);
`;

const TYPED_STATS = `
import express from 'express';
import { createStatsMiddleware } from 'heliograph/stats/middleware';
const app = express();
${records}
const { tracer } = stats;
tracer.startSpan('query').end();
app.use(createStatsMiddleware({ tracer, trustsCallers: false, followsCalls: false }));
`;

describe('a project that has installed this repository', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'heliograph-user-'));
    mkdirSync(join(dir, 'node_modules'));
    symlinkSync(ROOT, join(dir, 'node_modules/heliograph'));
    for (const name of ['ws', 'express', '@types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name));
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('subscribes in Node as documented', async () => {
    const relay = await startRelay();
    writeFileSync(join(dir, 'listen.js'), listens.replace('http://localhost:8080', relay.http));
    const child = spawn(process.execPath, ['listen.js'], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      let output = '';
      child.stdout.on('data', (text) => {
        output += text;
      });
      await eventually(() => expect(relay.relay.hub.isFresh('chat' as never)).toBe(true));
      const version = await relay.publish('chat');
      await eventually(() => expect(output).toBe(`chat ${version}\n`));
    } finally {
      child.kill();
      await relay.stop();
    }
  });

  it('records the calls of its own Express app as documented', async () => {
    writeFileSync(join(dir, 'app.js'), RECORDED_APP);
    const env = { PATH: process.env.PATH, STATS_TOKEN: 'a-token-of-the-tests', STATS_SAMPLE_RATE: '1' };
    const child = spawn(process.execPath, ['app.js'], { cwd: dir, env, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      let output = '';
      child.stdout.on('data', (text) => {
        output += text;
      });
      const [app, pages] = await eventually(() => {
        const ports = output.match(/^\d+$/gm) ?? [];
        expect(ports).toHaveLength(2);
        return ports;
      });
      expect(await (await fetch(`http://127.0.0.1:${app}/hello/world`)).text()).toBe('hello');
      await eventually(async () => {
        const headers = { authorization: 'Bearer a-token-of-the-tests' };
        const { traces } = await (await fetch(`http://127.0.0.1:${pages}/stats`, { headers })).json();
        expect(traces).toMatchObject([{ service: 'shop', name: 'GET /hello/:name', path: '/hello/world' }]);
      });
    } finally {
      child.kill();
    }
  });

  it('finds types for every entry', async () => {
    const files = { 'listen.ts': listens, 'publish.ts': publishes, 'typed.ts': TYPED, 'stats.ts': TYPED_STATS };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2022', 'dom'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      noEmit: true,
    };
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: Object.keys(files) }));
    const { stdout } = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', dir]).catch((error) => error);
    expect(stdout).toBe('');
  });

  it('needs no types of Express for call statistics', async () => {
    const own = mkdtempSync(join(tmpdir(), 'heliograph-types-'));
    try {
      mkdirSync(join(own, 'node_modules/@types'), { recursive: true });
      mkdirSync(join(own, 'node_modules/@opentelemetry'));
      cpSync(join(ROOT, 'dist'), join(own, 'node_modules/heliograph/dist'), { recursive: true });
      cpSync(join(ROOT, 'package.json'), join(own, 'node_modules/heliograph/package.json'));
      for (const name of ['@types/node', 'undici-types', '@opentelemetry/api', 'pino']) {
        symlinkSync(join(ROOT, 'node_modules', name), join(own, 'node_modules', name));
      }
      writeFileSync(join(own, 'package.json'), '{"type":"module"}');
      writeFileSync(
        join(own, 'stats.ts'),
        `import { createAppStats } from 'heliograph/stats';
import { createStatsMiddleware } from 'heliograph/stats/middleware';
const { recordRequests, tracer } = await createAppStats({ name: 'shop', env: process.env });
const handlers: ((request: never, response: never, next: () => void) => void)[] = [recordRequests];
handlers.push(createStatsMiddleware({ tracer, trustsCallers: false, followsCalls: false }));
// @ts-expect-error
recordRequests satisfies number;
`,
      );
      const options = ['--module', 'nodenext', '--target', 'es2022', '--strict', '--noEmit', '--types', 'node'];
      const { stdout } = await run(join(ROOT, 'node_modules/.bin/tsc'), [...options, 'stats.ts'], { cwd: own }).catch(
        (error) => error,
      );
      expect(stdout).toBe('');
    } finally {
      rmSync(own, { recursive: true });
    }
  });

  it('receives the library and its types in the npm package', async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], { cwd: ROOT });
    const [{ files }] = JSON.parse(stdout);
    const packed = files.map(({ path }: { path: string }) => `./${path}`);
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const named = Object.values<string | Record<string, string>>(exports).flatMap((target) =>
      typeof target === 'string' ? target : Object.values(target),
    );
    expect(named.length).toBeGreaterThan(4);
    expect(packed).toEqual(expect.arrayContaining(named));
  });

  it('finds the same types with moduleResolution node10', () => {
    const { exports, typesVersions } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const entries = Object.entries<{ types?: string }>(exports).flatMap(([name, { types }]) =>
      types === undefined ? [] : [[name.slice(2), [types]]],
    );
    expect(typesVersions['*']).toEqual(Object.fromEntries(entries));
  });

  it('receives source maps with their sources', () => {
    const map = JSON.parse(readFileSync(join(ROOT, 'dist/client/heliograph-client.js.map'), 'utf8'));
    expect(map.sourcesContent[0]).toContain('export class Heliograph');
  });
});
