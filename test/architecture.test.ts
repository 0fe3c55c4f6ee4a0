import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SERVICES = fileURLToPath(new URL('../services/', import.meta.url));

/** A source file with what it imports: packages by name, files by their path within `services`. */
interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const IMPORT = /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|(?:^|[^.\w])import\s*\(?\s*'([^']+)'/g;

const sources: readonly Source[] = readdirSync(SERVICES, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(SERVICES, path), 'utf8');
    const imports = [...text.matchAll(IMPORT)].map((match) => {
      const name = match[1] ?? match[2] ?? '';
      return name.startsWith('.') ? normalize(join(dirname(path), name)) : name;
    });
    return { path, text, imports };
  });

/** `<file> imports <what>` for every import that the rule does not allow. */
function broken(rule: (source: Source, imported: string) => boolean): string[] {
  return sources.flatMap((source) =>
    source.imports.filter((imported) => rule(source, imported)).map((imported) => `${source.path} imports ${imported}`),
  );
}

const folder = (path: string): string => path.split('/')[0] ?? '';
const fileName = (path: string): string => path.split('/').at(-1) ?? '';
const isFile = (imported: string): boolean => imported.endsWith('.ts');
const within = (path: string, ...folders: string[]): boolean => folders.some((name) => path.startsWith(`${name}/`));

describe('the borders of the source tree', () => {
  it('are found by this test', () => {
    expect(sources.length).toBeGreaterThan(60);
    const hub = sources.find(({ path }) => path === 'relay/hub/hub.ts');
    expect(hub?.imports).toContain('shared/broker/broker.ts');
    expect(hub?.imports).toContain('relay/hub/repair.ts');
    expect(sources.some(({ imports }) => imports.includes('ioredis'))).toBe(true);
  });

  it('shared imports no service', () => {
    expect(
      broken(({ path }, imported) => within(path, 'shared') && isFile(imported) && !within(imported, 'shared')),
    ).toEqual([]);
  });

  it('services import shared and themselves only; main files put them together, with call statistics', () => {
    const putsTogether = ['standalone', 'cli'];
    const allowed = (path: string) => [
      folder(path),
      'shared',
      ...(['chat', 'loadtest', 'outbox'].includes(folder(path)) || path === 'stats/pages/script/developers-page.ts'
        ? ['client']
        : []),
      ...(fileName(path) === 'main.ts' ? ['stats'] : []),
    ];
    expect(
      broken(
        ({ path }, imported) =>
          !putsTogether.includes(folder(path)) && isFile(imported) && !within(imported, ...allowed(path)),
      ),
    ).toEqual([]);
  });

  it('only redis-* files import ioredis', () => {
    expect(broken(({ path }, imported) => imported === 'ioredis' && !fileName(path).startsWith('redis-'))).toEqual([]);
  });

  it('only postgres-* files import pg', () => {
    expect(broken(({ path }, imported) => imported === 'pg' && !fileName(path).startsWith('postgres-'))).toEqual([]);
  });

  it('only uws-* files import uWebSockets.js, and of the relay only node-* files ws and the servers of Node', () => {
    const uses = sources
      .filter(({ text }) => /(from |import\(|\()'uWebSockets\.js'/.test(text))
      .map(({ path }) => fileName(path));
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((name) => !name.startsWith('uws-'))).toEqual([]);
    const mayImportWs = ['relay/engine/node-', 'cli/commands/listen.ts', 'cli/canary/canary.ts'];
    expect(
      broken(({ path }, imported) => imported === 'ws' && !mayImportWs.some((start) => path.startsWith(start))),
    ).toEqual([]);
    const servers = sources.filter(({ text }) => /import \{[^}]*\bcreateServer\b[^}]*\} from 'node:https?'/.test(text));
    expect(servers.map(({ path }) => path)).toContain('relay/engine/node-engine.ts');
    expect(servers.filter(({ path }) => within(path, 'relay') && !fileName(path).startsWith('node-'))).toEqual([]);
  });

  it('only main files choose a broker, and only create-engine.ts and create-transports.ts engines and transports', () => {
    const brokers = ['shared/broker/redis/redis-broker.ts', 'shared/broker/memory-broker.ts'];
    expect(broken(({ path }, imported) => brokers.includes(imported) && fileName(path) !== 'main.ts')).toEqual([]);
    expect(
      broken(
        ({ path }, imported) =>
          (/^relay\/engine\/(uws|node)-engine\.ts$/.test(imported) ||
            /^relay\/transport\/.*-transport\.ts$/.test(imported)) &&
          !(within(path, 'relay/transport') && imported === 'relay/transport/http/http-transport.ts') &&
          !['relay/engine/create-engine.ts', 'relay/create-transports.ts'].includes(path),
      ),
    ).toEqual([]);
  });

  it('only main files read the environment', () => {
    expect(
      sources
        .map(({ path, text }) => ({ path, code: text.replace(/\/\*\*.*?\*\//gs, '') })) // without doc comments
        .filter(({ path, code }) => code.includes('process.env') && fileName(path) !== 'main.ts')
        .map(({ path }) => path),
    ).toEqual([]);
  });

  it('the hub imports neither sessions nor transports, and transports import neither of the two', () => {
    const rooms = {
      'relay/hub': ['relay/session', 'relay/transport'],
      'relay/transport': ['relay/hub', 'relay/session'],
    };
    for (const [room, others] of Object.entries(rooms)) {
      expect(broken(({ path }, imported) => within(path, room) && within(imported, ...others))).toEqual([]);
    }
  });

  it('client, protocol and update run in browsers', () => {
    const rooms = ['client', 'shared/protocol', 'shared/update'];
    const safe = (imported: string) => within(imported, ...rooms) || ['shared/errors.ts', 'react'].includes(imported);
    const isSafePlace = (path: string) => within(path, ...rooms) || path === 'shared/errors.ts';
    const forNode = (path: string) => path === 'client/publisher.ts';
    expect(broken(({ path }, imported) => isSafePlace(path) && !forNode(path) && !safe(imported))).toEqual([]);
  });

  it('the library itself imports neither its adapters nor what they adapt', () => {
    const isLibrary = (path: string) => within(path, 'client') && !within(path, 'client/adapters');
    expect(
      broken(({ path }, imported) => isLibrary(path) && (within(imported, 'client/adapters') || imported === 'react')),
    ).toEqual([]);
  });

  it("the script of the chat's page runs in browsers", () => {
    const safe = (imported: string) =>
      within(imported, 'chat/page', 'client') ||
      ['chat/comment.ts', 'chat/avatar.ts', 'chat/notices.ts', 'shared/errors.ts'].includes(imported);
    const files = ['chat/comment.ts', 'chat/avatar.ts', 'chat/notices.ts'];
    expect(
      broken(({ path }, imported) => (within(path, 'chat/page') || files.includes(path)) && !safe(imported)),
    ).toEqual([]);
    expect(broken(({ path }, imported) => within(path, 'chat/page') && imported === 'client/publisher.ts')).toEqual([]);
  });

  it('prom-client stays in metrics.ts and *-metrics.ts files and shared/process', () => {
    expect(
      broken(
        ({ path }, imported) =>
          imported === 'prom-client' && !/^(.+-)?metrics\.ts$/.test(fileName(path)) && !within(path, 'shared/process'),
      ),
    ).toEqual([]);
  });

  it("OpenTelemetry's SDK stays where spans are recorded, which nothing loads that does not record", () => {
    const isSdk = (imported: string) => imported.startsWith('@opentelemetry/') && imported !== '@opentelemetry/api';
    expect(sources.some(({ imports }) => imports.some(isSdk))).toBe(true);
    expect(broken(({ path }, imported) => isSdk(imported) && !within(path, 'stats/recorder'))).toEqual([]);
    const stats = sources.find(({ path }) => path === 'stats/stats.ts');
    expect(stats?.text).toContain("await import('./recorder/recording.ts')");
    expect(stats?.text).not.toMatch(/^import [^;]*recorder/m);
  });

  it("the script of the statistics' pages needs nothing else", () => {
    const script = 'stats/pages/script';
    const isAllowed = (path: string, imported: string) =>
      path === `${script}/developers-page.ts`
        ? within(imported, 'client') || imported === 'stats/pages/snippets.ts'
        : within(imported, script);
    expect(broken(({ path }, imported) => within(path, script) && !isAllowed(path, imported))).toEqual([]);
  });

  it('there is no import cycle, not even for types only', () => {
    const graph = new Map(sources.map(({ path, imports }) => [path, imports.filter(isFile)]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) return void cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      if (done.has(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
    expect(cycles).toEqual([]);
  });
});

describe('the map of the source tree', () => {
  const map = readFileSync(join(SERVICES, 'README.md'), 'utf8');
  const files = readdirSync(SERVICES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'README.md')
    .map(({ parentPath, name }) => relative(SERVICES, join(parentPath, name)));

  it('names every folder, and no other', () => {
    const named = [...map.matchAll(/`([\w/-]+)\/`/g)].map(([, path]) => path);
    expect(named.sort()).toEqual([...new Set(files.map(dirname))].sort());
  });

  it('names only files that exist', () => {
    const named = [...map.matchAll(/`([\w/-]+\.(?:ts|lua))`/g)].map(([, path]) => path ?? '');
    expect(named.length).toBeGreaterThan(10);
    const known = (path: string) => files.some((file) => file === path || file.endsWith(`/${path}`));
    expect(named.filter((path) => !known(path))).toEqual([]);
  });
});

describe('the style of the source tree', () => {
  it('files are one idea each, named in kebab-case after what they export, and export by name', () => {
    const offenders = sources.filter(
      ({ path, text }) =>
        !/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(fileName(path)) ||
        fileName(path) === 'index.ts' ||
        text.split('\n').length > 400 ||
        /^export default/m.test(text),
    );
    expect(offenders.map(({ path }) => path)).toEqual([]);
  });
});

describe('the tests', () => {
  const TESTS = fileURLToPath(new URL('.', import.meta.url));
  const tests = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && path !== 'architecture.test.ts')
    .map((path) => ({ path, text: readFileSync(join(TESTS, path), 'utf8') }));

  /** `<file>:<line>` of each match. */
  const found = (pattern: RegExp, ...exceptions: string[]) =>
    tests
      .filter(({ path }) => !exceptions.includes(path))
      .flatMap(({ path, text }) =>
        [...text.matchAll(pattern)].map(({ index }) => `${path}:${text.slice(0, index).split('\n').length}`),
      );

  it('measure time with a stopwatch, which knows how busy the machine is', () => {
    const limited =
      /expect\((?=[^;]{0,80}(?:performance\.now\(\) -|Date\.now\(\) - begun|[tT]ookMs|[eE]lapsedMs|durationMs))[^;]{0,160}\.toBeLessThan/g;
    expect(found(limited, 'support/elapsed.ts')).toEqual([]);
    expect('expect(performance.now() - begunAt).toBeLessThan(1)').toMatch(limited);
    expect('expect(answer.tookMs).toBeLessThanOrEqual(1)').toMatch(limited);
  });

  it('let the system choose ports, or reserve them: a port that was free may be taken', () => {
    const released = /\.listen\((?:0|\{ port: 0)[^}]{0,400}\.close\([^}]{0,120}return port\b/g;
    expect(found(released)).toEqual([]);
    expect('const s = createServer().listen(0);\nconst port = s.address().port;\ns.close();\nreturn port;').toMatch(
      released,
    );
  });

  it('install programs before they run: only one file calls apt-get', () => {
    expect(
      found(
        /'apt-get'|apt-get install -y/g,
        'support/find-program.ts',
        'unit/find-program.test.ts',
        'docker/docker-engine.ts',
      ),
    ).toEqual([]);
  });
});
