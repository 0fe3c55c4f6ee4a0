import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readChatConfig } from '../services/chat/config.ts';
import { createProgram } from '../services/cli/program.ts';
import { Heliograph } from '../services/client/heliograph-client.ts';
import { MAX_LONG_POLLS } from '../services/client/long-poll-connection.ts';
import { MAX_SSE_TOPICS } from '../services/client/sse-connection.ts';
import * as library from '../services/client/timings.ts';
import {
  FLAG_TABLE,
  helpText,
  OPTION_TABLE,
  type OptionRow,
  PRESETS,
} from '../services/loadtest/options/option-table.ts';
import { THRESHOLD_NAMES } from '../services/loadtest/options/thresholds.ts';
import { readOutboxConfig } from '../services/outbox/config.ts';
import { readRelayProcessConfig } from '../services/relay/config.ts';
import { COME_BACK_WITHIN_MS } from '../services/relay/drain.ts';
import { MAX_EVENT_TOPICS } from '../services/relay/transport/sse/sse-stream.ts';
import { RETRY_MAX_MS } from '../services/relay/transport/sse/sse-transport.ts';
import { EnvReader } from '../services/shared/config/env-reader.ts';
import { readProcessConfig } from '../services/shared/config/process-config.ts';
import { ERRORS } from '../services/shared/errors.ts';
import { CLOSE_CODES } from '../services/shared/protocol/close-codes.ts';
import { readStatsConfig } from '../services/stats/config.ts';
import { readWebhookProcessConfig } from '../services/webhook/config.ts';
import { createFullRegistry } from './support/full-registry.ts';
import { pageWith, readPages, tableRows } from './support/pages.ts';

const plain = (cell = ''): string => cell.replaceAll('`', '');

/** The first cell of each row of these tables with its second. Each name is there once, so on one page only. */
function table(...header: string[]): Record<string, string> {
  const entries = tableRows(...header).map(([name, value]) => [plain(name), plain(value)] as const);
  const names = entries.map(([name]) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  return Object.fromEntries(entries);
}

describe('the pages', () => {
  it('list every setting with its default, and no other', () => {
    const reader = new EnvReader({});
    readProcessConfig(reader, { adminPort: 0 });
    readRelayProcessConfig(reader);
    readWebhookProcessConfig(reader);
    readChatConfig(reader);
    readOutboxConfig(reader);
    readStatsConfig(reader);
    const settings = Object.fromEntries(reader.settings().map((setting) => [setting.name, setting.default]));
    // These differ between services and machines.
    const { ADMIN_PORT: adminPort, MAX_CONNECTIONS: maxConnections, ...documented } = table('Variable');
    const { ADMIN_PORT: _, MAX_CONNECTIONS: __, ...read } = settings;
    expect(maxConnections).toMatch(/limit of open files/);
    expect(documented).toEqual(read);
    expect(adminPort).toMatch(/relay.* 9101, webhook 9102, chat 9103, outbox 9104/);
  });

  it('list every option of the load test with its default, in the words of its help, and no other', () => {
    const options = Object.entries<OptionRow>(OPTION_TABLE).map(([name, { value, default: text, help, multiple }]) => [
      ...[`--${name} ${value}`, text, `${help}${multiple ? '; may be repeated' : ''}`],
    ]);
    const flags = Object.entries(FLAG_TABLE).map(([name, help]) => [`--${name}`, '', help]);
    const documented = tableRows('Option').map((row) => row.map((cell) => plain(cell).replaceAll('\\|', '|')));
    expect(documented).toEqual([...options, ...flags]);
  });

  it('name every threshold and preset of the load test', () => {
    const { text } = pageWith('| Option | Default | What |');
    for (const name of THRESHOLD_NAMES) expect(text).toContain(`\`${name}\``);
    for (const name of Object.keys(PRESETS)) expect(text).toContain(`\`--preset ${name}\``);
  });

  it('list every command of the command line with its help, and no other, and name their options', () => {
    const { stdin, stdout, stderr } = process;
    const program = createProgram({ env: {}, stdin, stdout, stderr, loadEnvFile() {} });
    const signature = (command: (typeof program.commands)[number]) =>
      `${command.name()} ${command.usage().replace('[options]', '').trim()}`.trim();
    const documented = tableRows('Command', 'What').map(([command, what]) => [plain(command), plain(what)]);
    expect(documented).toEqual(program.commands.map((command) => [signature(command), command.description()]));
    const { text } = pageWith('| Command | What |');
    for (const { options } of [program, ...program.commands]) {
      for (const { long } of options) expect(text).toContain(`\`${long}`);
    }
  });

  it('name the credentials of the load test in the environment, as its help does', () => {
    const { text } = pageWith('| Option | Default | What |');
    const main = readFileSync(new URL('../services/loadtest/main.ts', import.meta.url), 'utf8');
    const [, read = ''] = /const \{ PATH: [^,]*,([^}]*)\} = process\.env/.exec(main) ?? [];
    const names = read.match(/[A-Z]+_[A-Z]+/g) ?? [];
    expect(names).toHaveLength(3);
    for (const name of names) {
      expect(text).toContain(`\`${name}\``);
      expect(helpText(String)).toContain(name);
    }
  });

  it('list every error code with its status, and no other', () => {
    const errors = Object.fromEntries(Object.entries(ERRORS).map(([code, { status }]) => [code, String(status)]));
    expect(table('Code', 'Status')).toEqual(errors);
  });

  it('list no unused error code', () => {
    const services = new URL('../services/', import.meta.url);
    const code = readdirSync(services, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('errors.ts'))
      .map((path) => readFileSync(new URL(path, services), 'utf8'))
      .join();
    expect(Object.keys(ERRORS).filter((name) => !code.includes(`'${name}'`))).toEqual([]);
  });

  it('list every close code, and no other', () => {
    expect(Object.keys(table('Code', 'What', 'What a client should do')).sort()).toEqual(
      Object.values(CLOSE_CODES).map(String).sort(),
    );
  });

  it('state how long a client is disconnected, as the constants of library and relay do', () => {
    const seconds = (ms: number) => `${ms / 1000} s`;
    const minutes = (ms: number) => `${ms / 60_000} minutes`;
    expect(Object.fromEntries(tableRows('when'))).toEqual({
      'its relay is killed, or the connection is cut': seconds(library.RETRY_MS),
      'its relay shuts down or sheds load': seconds(COME_BACK_WITHIN_MS),
      'its token has expired, and your function returns another one': seconds(library.RETRY_MS),
      'the relay that it reaches has more than its share of connections': `at once at another one, at most ${library.REBALANCING_TRIES} times ([rebalancing](../relay/README.md#rebalancing))`,
      'no relay is reachable for a while': `${seconds(library.RETRY_CAP_MS)} after one is: the delays are random and grow`,
      'every relay is full': `${seconds(RETRY_MAX_MS)} after one has room`,
      'the client sent too many messages (close code 4429)': `${seconds(library.RETRY_MS * 2 ** library.BUSY_RELAY_TRIES)}, then more`,
      'the connection is dead without having been closed':
        `${seconds(library.PING_AFTER_MS + library.PONG_TIMEOUT_MS + library.RETRY_MS)}: a ping after ` +
        `${seconds(library.PING_AFTER_MS)} of silence, a timeout ${seconds(library.PONG_TIMEOUT_MS)} later`,
      'the network comes back, or the tab is shown': `at once; ${seconds(library.PONG_TIMEOUT_MS)} if the client does not know yet that its connection is dead`,
      'a proxy rejects a transport': `${seconds(library.FALLBACK_DELAY_MS)} per transport`,
      "a proxy drops a transport's traffic silently": `${seconds(library.CONNECT_TIMEOUT_MS + library.FALLBACK_DELAY_MS)} per transport`,
      'a better transport works again':
        `${minutes(2 * library.UPGRADE_MS)} at first; after each failure the interval grows, ` +
        `up to ${minutes(library.UPGRADE_MS + library.UPGRADE_CAP_MS)}`,
      'the tab that holds the shared connection is closed or frozen': 'at once',
      'the tab that holds the shared connection hangs': seconds(library.LEADER_TIMEOUT_MS + library.PONG_TIMEOUT_MS),
    });
  });

  it('state the other numbers of the library', () => {
    const slowS = library.SLOW_FETCH_MS / 1000;
    const { text } = pageWith('| Member | Meaning |');
    expect(text).toContain(`every ${slowS} to ${2 * slowS} s while the status is not`);
    expect(text).toContain(`growing random delays of up to ${library.RETRY_CAP_MS / 1000} s`);
    expect(text).toContain(`a run takes longer than ${library.FETCH_TIMEOUT_MS / 1000} s`);
    expect(text).toContain(`up to ${MAX_SSE_TOPICS} topics; by \`longpoll\` more than ${MAX_LONG_POLLS} are`);
    expect(MAX_SSE_TOPICS).toBe(MAX_EVENT_TOPICS);
  });

  it('list every option, member, event and status of the library, and no other', () => {
    const read = (file: string) => readFileSync(new URL(`../services/client/${file}`, import.meta.url), 'utf8');
    const source = read('heliograph-client.ts');
    const [, options = ''] = /interface HeliographOptions \{(.*?)\n\}/s.exec(source) ?? [];
    const [, events = ''] = /interface HeliographEvents \{(.*?)\n\}/s.exec(source) ?? [];
    const [, statuses = ''] = /type Status = (.*);/.exec(read('transport.ts')) ?? [];
    const members = Object.getOwnPropertyNames(Heliograph.prototype).filter((name) => name !== 'constructor');
    const names = (...header: string[]) => tableRows(...header).map(([cell]) => /\w+/.exec(cell ?? '')?.[0]);
    const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name);
    expect(names('`new Heliograph(url, …)`')).toEqual(matches(options, /readonly (\w+)\?:/g));
    expect(names('Member').sort()).toEqual(members.sort());
    expect(names('Event', 'Value').sort()).toEqual(matches(events, /^ {2}(\w+):/gm).sort());
    expect(names('Status', 'Meaning').sort()).toEqual(matches(statuses, /'(\w+)'/g).sort());
  });

  it('list every metric with its type, and no other', async () => {
    const metrics = (await createFullRegistry().getMetricsAsJSON())
      .filter(({ name }) => !/^(process|nodejs)_/.test(name))
      .map(({ name, type }) => [name, type]);
    expect(table('Metric')).toEqual(Object.fromEntries(metrics));
  });

  it('name every metric by the rules of Prometheus', async () => {
    for (const [name, type] of Object.entries(table('Metric'))) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes|ratio)$/);
      expect(name).not.toMatch(/_(ms|milliseconds|kib|mb)(_|$)/);
    }
  });
});

describe('the version', () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

  it('has a section in the changelog', () => {
    expect(pageWith('# Changelog').text).toContain(`\n## ${version}\n`);
  });

  it('is the tag of every image that a page or a manifest names', () => {
    const deploy = new URL('../deploy/', import.meta.url);
    const files = readdirSync(deploy, { recursive: true, encoding: 'utf8' })
      .filter((path) => /Dockerfile$|\.ya?ml$/.test(path))
      .map((path) => readFileSync(new URL(path, deploy), 'utf8'));
    const texts = [...readPages().map(({ text }) => text), ...files];
    const tags = texts.flatMap((text) => text.match(/\bheliograph:\d+\.\d+\.\d+/g) ?? []);
    expect(tags.length).toBeGreaterThan(5);
    expect(new Set(tags)).toEqual(new Set([`heliograph:${version}`]));
  });
});

describe('the front page', () => {
  const [front, ...others] = readPages();
  const links = [...(front?.text.matchAll(/\]\(([^)#]+)/g) ?? [])].map(([, link]) => link);

  it('has at most 160 lines', () => {
    expect(front?.path).toBe('README.md');
    expect(front?.text.split('\n').length).toBeLessThanOrEqual(160);
  });

  it('links to every other page', () => {
    expect(others.map(({ path }) => path).filter((path) => !links.includes(path))).toEqual([]);
  });

  it('has the commands to run and to test first', () => {
    const blocks = [...(front?.text.matchAll(/```sh\n(.*?)```/gs) ?? [])].map(([, text]) => text);
    expect(blocks.slice(0, 2)).toEqual(['npm ci && npm start\n', 'npm ci && npm test\n']);
  });

  it('is not the only page with reference tables: each service has a page of its own', () => {
    const folders = readdirSync(new URL('../services/', import.meta.url), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `services/${name}/README.md`);
    expect(folders.filter((path) => !others.some((page) => page.path === path))).toEqual([]);
  });
});

describe('every page', () => {
  const ROOT = new URL('../', import.meta.url);
  const pages = readPages();

  /** The headings of a page, as links name them. */
  function headings(page: URL): readonly string[] {
    return [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
      text
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
  }

  const sources = ['services', 'test', 'deploy', 'k8s'].flatMap((folder) =>
    readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  );

  it('names only files that exist', () => {
    const named = pages.flatMap(({ path: page, text }) =>
      // A leading slash is that of a URL.
      [...text.matchAll(/`(?!\/)([\w./-]+\.(?:ts|tsx|lua|mjs|yaml|json|cfg))`/g)].map(([, path = '']) => ({
        page,
        path,
      })),
    );
    expect(named.length).toBeGreaterThan(50);
    const exists = (path: string) =>
      existsSync(new URL(path, ROOT)) || sources.some((file) => file.endsWith(`/${path}`));
    expect(named.filter(({ path }) => !exists(path))).toEqual([]);
  });

  it('names only classes and members that exist, as far as it explains the code', () => {
    const code = sources
      .filter((path) => path.startsWith('services/') && path.endsWith('.ts'))
      .map((path) => readFileSync(new URL(path, ROOT), 'utf8'))
      .join('\n');
    const text = pages
      .filter(({ path }) => /^services\/(shared\/)?README\.md$/.test(path))
      .map((page) => page.text.split('\n## The promise\n')[0])
      .join('\n');
    const classes = [...text.matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)*)(?:\.\w+)?`/g)].map(([, name = '']) => name);
    const members = [...text.matchAll(/`(?:[A-Za-z]+)\.(\w+)`/g)]
      .map(([, name = '']) => name)
      .filter((name) => !/^(ts|md|lua|db|json)$/.test(name));
    expect(classes.length).toBeGreaterThan(5);
    expect(members.length).toBeGreaterThan(8);
    expect(classes.filter((name) => !new RegExp(`(class|interface|type) ${name}\\b`).test(code))).toEqual([]);
    expect(members.filter((name) => !new RegExp(`^ +(get |async )?${name}(\\(|\\?|:)`, 'm').test(code))).toEqual([]);
  });

  it('links only to files and headings that exist', () => {
    const links = pages.flatMap(({ path: page, text }) =>
      [...text.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link = '']) => ({
        page,
        link,
      })),
    );
    expect(links.length).toBeGreaterThan(20);
    const broken = links.filter(({ page, link }) => {
      const target = new URL(link, new URL(page, ROOT));
      const heading = target.hash.slice(1);
      target.hash = '';
      return !existsSync(target) || (heading !== '' && !headings(target).includes(heading));
    });
    expect(broken).toEqual([]);
  });
});
