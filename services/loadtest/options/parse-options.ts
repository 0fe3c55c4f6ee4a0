import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { parseBytes, parseDurationMs } from '../../shared/config/units.ts';
import { isTopic } from '../../shared/update/topic.ts';
import { parseTransportMix, type TransportMix } from '../clients/transport-mix.ts';
import { parseTarget, type Target } from '../wire/target.ts';
import { FLAG_TABLE, OPTION_TABLE, type OptionName, type OptionRow, PRESETS } from './option-table.ts';
import type { LoadtestOptions, TargetCluster } from './options.ts';
import { parseShare, parseThreshold, type Threshold } from './thresholds.ts';

/** Invalid options; the message has one line per problem. */
export class OptionError extends Error {}

const MAX_PAYLOAD_BYTES = 60 * 1024;
/** Upper limit of every duration: a day, which is within the range of timers. */
const MAX_DURATION_MS = 24 * 3_600_000;
const DEFAULT_THRESHOLDS = 'failed=0%,publish-failed=0%,behind-30s=0%';
/** Without updates, no client can be behind. */
const IDLE_THRESHOLDS = 'failed=0%';

/**
 * Parses the command line; returns `help` if help was requested.
 * @throws {OptionError} with all problems
 */
export function parseOptions(args: readonly string[]): LoadtestOptions | 'help' {
  const given = readArgs(args);
  if (given.get('help') !== undefined) return 'help';
  const reader = new OptionReader(withPreset(given));
  const updatesPerSecond = reader.decimal('rate', { default: 1, max: 10_000 });
  const options: LoadtestOptions = {
    cluster: readCluster(reader, { publishes: updatesPerSecond > 0 }),
    clients: reader.integer('clients', { min: 1, max: 10_000_000 }),
    rampMs: reader.durationMs('ramp', 10_000),
    topics: reader.integer('topics', { min: 1, max: 1_000_000 }) ?? 1,
    topicsPerClient: reader.integer('topics-per-client', { min: 1, max: 100 }) ?? 1,
    topicSpread: reader.word('topic-spread', ['even', 'zipf']),
    topicPrefix: reader.text('topic-prefix') ?? `load/${randomBytes(4).toString('hex')}/`,
    updatesPerSecond,
    payloadBytes: reader.bytes('payload', 0, MAX_PAYLOAD_BYTES),
    durationMs: reader.durationMs('duration', 10_000),
    mix: reader.parsed<TransportMix>('transports', 'ws=100', parseTransportMix, 'shares such as ws=90,sse=10'),
    slowShare: reader.parsed('slow', '0%', parseShare, 'a share such as 1%'),
    slowPauseMs: reader.durationMs('slow-pause', 5000),
    churnPerSecond: reader.decimal('churn', { default: 0, max: 100_000 }),
    processes: reader.integerOrAuto('processes'),
    relays: reader.integerOrAuto('relays'),
    thresholds: readThresholds(reader, updatesPerSecond === 0 ? IDLE_THRESHOLDS : DEFAULT_THRESHOLDS),
    keepFreeBytes: reader.has('keep-free') ? reader.bytes('keep-free', 0, Number.MAX_SAFE_INTEGER) : undefined,
    maxTimeMs: reader.durationMs('max-time', 1_800_000),
    htmlFile: reader.text('html'),
    jsonFile: reader.text('json'),
    label: reader.text('label') ?? '',
    mayShrink: reader.has('fit'),
    planOnly: reader.has('plan'),
  };
  if (!isTopic(`${options.topicPrefix}9999999`)) reader.fail('topic-prefix', 'must be a valid start of a topic name');
  if (options.topicsPerClient > options.topics) reader.fail('topics-per-client', 'must be at most --topics');
  if (options.mix.sse > 0 && options.topicsPerClient > 16)
    reader.fail('topics-per-client', 'must be at most 16 with sse');
  reader.finish();
  return Object.freeze(options);
}

/** The options by name, unparsed; flags hold `true`. */
function readArgs(args: readonly string[]): Map<string, string> {
  const values = Object.entries<OptionRow>(OPTION_TABLE).map(
    ([name, { multiple = false }]) => [name, { type: 'string', multiple }] as const,
  );
  const flags = Object.keys(FLAG_TABLE).map((name) => [name, { type: 'boolean' }] as const);
  try {
    const parsed = parseArgs({ args: [...args], options: Object.fromEntries([...values, ...flags]), strict: true });
    return new Map(Object.entries(parsed.values).map(([name, value]) => [name, [value].flat().join(',')]));
  } catch (error) {
    throw new OptionError(error instanceof Error ? error.message : String(error));
  }
}

function withPreset(given: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const name = given.get('preset');
  if (name === undefined) return given;
  if (!Object.hasOwn(PRESETS, name)) {
    throw new OptionError(`--preset must be one of: ${Object.keys(PRESETS).join(', ')}`);
  }
  return new Map([...Object.entries(PRESETS[name] ?? {}), ...given]);
}

function readCluster(reader: OptionReader, { publishes }: { publishes: boolean }): TargetCluster | undefined {
  const relays = reader.list('relay').map(parseTarget);
  if (relays.includes(undefined)) reader.fail('relay', 'must be a URL such as http://relay:8080');
  const metricsUrls = reader.list('metrics');
  const webhookUrl = reader.text('webhook');
  const urls = [...metricsUrls, ...(webhookUrl === undefined ? [] : [webhookUrl])];
  if (urls.some((url) => !/^https?:\/\//.test(url) || !URL.canParse(url))) {
    reader.fail('webhook', 'and --metrics must be URLs such as http://webhook:8090/webhook');
  }
  if (relays.length === 0 && urls.length === 0) return undefined;
  if (relays.length === 0) reader.fail('relay', 'is required with --webhook or --metrics');
  if (webhookUrl === undefined && publishes) reader.fail('webhook', 'is required with --relay, unless --rate is 0');
  return { relays: relays as Target[], webhookUrl: webhookUrl ?? '', metricsUrls };
}

function readThresholds(reader: OptionReader, defaultText: string): readonly Threshold[] {
  const texts = reader.list('threshold', defaultText);
  return texts.flatMap((text) => {
    const threshold = parseThreshold(text);
    if (!threshold) reader.fail('threshold', `must have the form p99=250ms or failed=0.1%, not ${text}`);
    return threshold ?? [];
  });
}

/** Reads single options and collects the problems. */
class OptionReader {
  readonly #given: ReadonlyMap<string, string>;
  readonly #problems: string[] = [];

  constructor(given: ReadonlyMap<string, string>) {
    this.#given = given;
  }

  fail(name: OptionName, problem: string): void {
    this.#problems.push(`--${name} ${problem}`);
  }

  finish(): void {
    if (this.#problems.length > 0) throw new OptionError(this.#problems.join('\n'));
  }

  has(name: OptionName | keyof typeof FLAG_TABLE): boolean {
    return this.#given.has(name);
  }

  text(name: OptionName): string | undefined {
    return this.#given.get(name) || undefined;
  }

  list(name: OptionName, defaultText = ''): readonly string[] {
    const items = (this.#given.get(name) ?? defaultText).split(',').map((item) => item.trim());
    return items.filter((item) => item !== '');
  }

  parsed<T>(name: OptionName, defaultText: string, parse: (text: string) => T | undefined, unit: string): T {
    const value = parse(this.#given.get(name) ?? defaultText);
    if (value === undefined) this.fail(name, `must be ${unit}`);
    return value ?? (parse(defaultText) as T);
  }

  integer(name: OptionName, { min, max }: { min: number; max: number }): number | undefined {
    const text = this.#given.get(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) this.fail(name, `must be a whole number from ${min} to ${max}`);
    return value;
  }

  integerOrAuto(name: OptionName): number | undefined {
    return this.#given.get(name) === 'auto' ? undefined : this.integer(name, { min: 1, max: 1000 });
  }

  decimal(name: OptionName, options: { default: number; max: number }): number {
    const text = this.#given.get(name) ?? String(options.default);
    const value = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value <= options.max)) this.fail(name, `must be a number from 0 to ${options.max}`);
    return value;
  }

  durationMs(name: OptionName, defaultMs: number): number {
    const value = this.parsed(name, `${defaultMs}ms`, parseDurationMs, 'a duration such as 500ms, 4s or 2m');
    if (value > MAX_DURATION_MS) this.fail(name, 'must be at most 24h');
    return value;
  }

  bytes(name: OptionName, defaultBytes: number, max: number): number {
    const value = this.parsed(name, `${defaultBytes}B`, parseBytes, 'a size such as 512B or 64KiB');
    if (value > max) this.fail(name, `must be at most ${max}B`);
    return value;
  }

  word<T extends string>(name: OptionName, words: readonly [T, ...T[]]): T {
    const text = this.#given.get(name) ?? words[0];
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) this.fail(name, `must be one of: ${words.join(', ')}`);
    return word ?? words[0];
  }
}
