import { describe, expect, it } from 'vitest';
import { helpText, OPTION_TABLE, PRESETS } from '../../../../services/loadtest/options/option-table.ts';
import type { LoadtestOptions } from '../../../../services/loadtest/options/options.ts';
import { OptionError, parseOptions } from '../../../../services/loadtest/options/parse-options.ts';

function parse(...args: string[]): LoadtestOptions {
  const options = parseOptions(args);
  if (options === 'help') throw new Error('these options request help');
  return options;
}

/** Returns the lines of the error for these options. */
function problems(...args: string[]): string[] {
  try {
    parseOptions(args);
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as OptionError).message.split('\n');
  }
  throw new Error('these options are valid');
}

describe('the options of a load test', () => {
  it('are all optional', () => {
    expect(parse()).toMatchObject({
      cluster: undefined,
      clients: undefined,
      rampMs: 10_000,
      topics: 1,
      topicsPerClient: 1,
      topicSpread: 'even',
      updatesPerSecond: 1,
      payloadBytes: 0,
      durationMs: 10_000,
      mix: { websocket: 1, legacy: 0, sse: 0, 'long-poll': 0 },
      slowShare: 0,
      slowPauseMs: 5000,
      churnPerSecond: 0,
      processes: undefined,
      relays: undefined,
      keepFreeBytes: undefined,
      maxTimeMs: 1_800_000,
      htmlFile: undefined,
      jsonFile: undefined,
      label: '',
      mayShrink: false,
      planOnly: false,
    });
  });

  it('have the defaults that the help shows', () => {
    const shown = Object.entries(OPTION_TABLE).flatMap(([name, row]) =>
      /^(auto|load\/<random>\/|1000 per core|1GiB, or .*|)$/.test(row.default) ? [] : [`--${name}=${row.default}`],
    );
    expect(shown.length).toBeGreaterThan(10);
    const { topicPrefix: _, ...given } = parse(...shown);
    const { topicPrefix: __, ...defaults } = parse();
    expect(given).toEqual(defaults);
  });

  it('use topic names that no other test has', () => {
    expect(parse().topicPrefix).toMatch(/^load\/[0-9a-f]{8}\/$/);
    expect(parse().topicPrefix).not.toBe(parse().topicPrefix);
  });

  it('are all parsed', () => {
    const { cluster, ...rest } = parse(
      '--relay=https://relay:8443/push/,http://10.0.0.1:8080',
      '--relay=ws://[::1]:9000',
      '--webhook=http://webhook:8090/webhook',
      '--metrics=http://relay:9101/metrics',
      ...['--clients=100', '--ramp=2m', '--topics=50', '--topics-per-client=3', '--topic-spread=zipf', '--rate=0.5'],
      ...['--topic-prefix=t.', '--payload=1KiB', '--duration=500ms', '--transports=ws=3,sse=1', '--slow=2.5%'],
      ...['--slow-pause=1s', '--churn=7.5', '--processes=4', '--relays=auto', '--threshold=p99=250ms,lost=1%'],
      ...['--threshold=max=1s', '--keep-free=2GiB', '--max-time=1h', '--html=a.html', '--json=-', '--label=x', '--fit'],
    );
    expect(cluster?.relays.map(({ host, port, isTls, basePath }) => [host, port, isTls, basePath])).toEqual([
      ['relay', 8443, true, '/push'],
      ['10.0.0.1', 8080, false, ''],
      ['::1', 9000, false, ''],
    ]);
    expect(cluster).toMatchObject({
      webhookUrl: 'http://webhook:8090/webhook',
      metricsUrls: ['http://relay:9101/metrics'],
    });
    expect(rest).toEqual({
      clients: 100,
      rampMs: 120_000,
      topics: 50,
      topicsPerClient: 3,
      topicSpread: 'zipf',
      topicPrefix: 't.',
      updatesPerSecond: 0.5,
      payloadBytes: 1024,
      durationMs: 500,
      mix: { websocket: 0.75, legacy: 0, sse: 0.25, 'long-poll': 0 },
      slowShare: 0.025,
      slowPauseMs: 1000,
      churnPerSecond: 7.5,
      processes: 4,
      relays: undefined,
      thresholds: [
        { name: 'p99', limit: 250 },
        { name: 'lost', limit: 0.01 },
        { name: 'max', limit: 1000 },
      ],
      keepFreeBytes: 2 * 1024 ** 3,
      maxTimeMs: 3_600_000,
      htmlFile: 'a.html',
      jsonFile: '-',
      label: 'x',
      mayShrink: true,
      planOnly: false,
    });
  });

  it('override those of a preset', () => {
    expect(parse('--preset=million')).toMatchObject({ clients: 1_000_000, mayShrink: true });
    expect(parse('--preset=million', '--clients=20000')).toMatchObject({ clients: 20_000, mayShrink: true });
  });

  it.each(Object.keys(PRESETS))('accept the preset %s', (preset) => {
    expect(parse('--preset', preset).clients).toBeGreaterThan(0);
  });

  it('have no publishing thresholds and need no webhook if nothing is published', () => {
    const names = (...args: string[]) => parse(...args).thresholds.map(({ name }) => name);
    expect(names()).toEqual(['failed', 'publish-failed', 'behind-30s']);
    expect(names('--rate=0')).toEqual(['failed']);
    expect(parse('--rate=0', '--relay=http://relay:8080').cluster?.webhookUrl).toBe('');
  });

  it.each([
    ['--clients=0', '--clients must be a whole number from 1 to 10000000'],
    ['--clients=1e3', '--clients must be a whole number from 1 to 10000000'],
    ['--clients=', '--clients must be a whole number from 1 to 10000000'],
    ['--topics=1000001', '--topics must be a whole number from 1 to 1000000'],
    ['--topics-per-client=2', '--topics-per-client must be at most --topics'],
    ['--ramp=5', '--ramp must be a duration such as 500ms, 4s or 2m'],
    ['--ramp=-5s', '--ramp must be a duration such as 500ms, 4s or 2m'],
    ['--max-time=25h', '--max-time must be at most 24h'],
    ['--rate=NaN', '--rate must be a number from 0 to 10000'],
    ['--rate=10001', '--rate must be a number from 0 to 10000'],
    ['--payload=61KiB', '--payload must be at most 61440B'],
    ['--payload=1MB', '--payload must be a size such as 512B or 64KiB'],
    ['--topic-spread=odd', '--topic-spread must be one of: even, zipf'],
    ['--topic-prefix=a b', '--topic-prefix must be a valid start of a topic name'],
    [`--topic-prefix=${'a'.repeat(125)}`, '--topic-prefix must be a valid start of a topic name'],
    ['--transports=ws', '--transports must be shares such as ws=90,sse=10'],
    ['--transports=ws=0', '--transports must be shares such as ws=90,sse=10'],
    ['--transports=constructor=1', '--transports must be shares such as ws=90,sse=10'],
    ['--slow=0.5', '--slow must be a share such as 1%'],
    ['--slow=101%', '--slow must be a share such as 1%'],
    ['--processes=0', '--processes must be a whole number from 1 to 1000'],
    ['--relays=many', '--relays must be a whole number from 1 to 1000'],
    ['--threshold=p98=1s', '--threshold must have the form p99=250ms or failed=0.1%, not p98=1s'],
    ['--threshold=p99=1%', '--threshold must have the form p99=250ms or failed=0.1%, not p99=1%'],
    ['--relay=ftp://relay', '--relay must be a URL such as http://relay:8080'],
    ['--webhook=webhook:8090', '--webhook and --metrics must be URLs such as http://webhook:8090/webhook'],
    ['--keep-free=', '--keep-free must be a size such as 512B or 64KiB'],
    ['--preset=huge', `--preset must be one of: ${Object.keys(PRESETS).join(', ')}`],
    ['--frobnicate', "Unknown option '--frobnicate'"],
  ])('are rejected: %s', (option, problem) => {
    expect(problems(option)[0]).toBe(problem);
  });

  it('require relay and webhook together', () => {
    expect(problems('--relay=http://relay')).toEqual(['--webhook is required with --relay, unless --rate is 0']);
    expect(problems('--webhook=http://webhook')).toEqual(['--relay is required with --webhook or --metrics']);
    expect(problems('--metrics=http://relay/metrics')[0]).toBe('--relay is required with --webhook or --metrics');
  });

  it('limit the topics of an SSE client', () => {
    expect(problems('--transports=ws=99,sse=1', '--topics=20', '--topics-per-client=17')).toEqual([
      '--topics-per-client must be at most 16 with sse',
    ]);
  });

  it('report all problems at once', () => {
    expect(problems('--clients=x', '--ramp=x', '--slow=x', '--threshold=x')).toHaveLength(4);
  });

  it('show their help, whatever other options are given', () => {
    expect(parseOptions(['--help', '--clients=x'])).toBe('help');
    const help = helpText((args) => `load ${args.join(' ')}`);
    expect(help).toMatch(/^ {2}load --clients 10000 +starts a cluster/m);
    for (const name of [...Object.keys(OPTION_TABLE), 'fit', 'plan', 'help']) {
      expect(help).toMatch(new RegExp(`^  --${name} `, 'm'));
    }
    for (const preset of Object.keys(PRESETS)) expect(help).toContain(`\n  ${preset} `);
  });
});
