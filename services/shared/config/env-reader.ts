import { isTopic, parseTopic, type Topic } from '../update/topic.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { defaultHost } from './default-host.ts';
import { parseBytes, parseDurationMs } from './units.ts';

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that was read, with its default as text; the default is empty if there is none. */
export interface Setting {
  readonly name: string;
  readonly default: string;
}

/** The longest delay that a timer can wait, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What `isToken` requires, for the messages about tokens. */
export const TOKEN_RULE = 'at least 16 characters of printable ASCII without spaces';

/** Returns whether a bearer token can be sent in a header and is too long to be guessed. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]{16,}$/.test(text);
}

/**
 * Reads and validates environment variables, and collects all problems so that they are reported together. The reading
 * methods never throw: they note the problem and return the default. Read everything, then call `finish`. An empty
 * variable counts as unset. No problem contains a value, because values may be secrets.
 */
export class EnvReader {
  readonly #env: Environment;
  readonly #problems: ConfigProblem[] = [];
  readonly #settings = new Map<string, Setting>();

  constructor(env: Environment) {
    this.#env = env;
  }

  /** Returns the variable as it is. */
  string(name: string, defaultValue: string): string {
    return this.#read(name, defaultValue) ?? defaultValue;
  }

  /** Returns the variable as it is; undefined if it is not set. */
  optional(name: string): string | undefined {
    return this.#read(name, '');
  }

  /** Returns the variable as it is, which may end with a line break; undefined if it is not set. */
  multiline(name: string): string | undefined {
    return this.#readRaw(name, '');
  }

  /** Reads an integer from `min` (0) to `max` (2^53 - 1), both inclusive. */
  integer(name: string, options: { default: number; min?: number; max?: number }): number {
    const { default: defaultValue, min = 0, max = Number.MAX_SAFE_INTEGER } = options;
    const text = this.#read(name, String(defaultValue));
    if (text === undefined) return defaultValue;
    const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.fail(name, `must be a whole number from ${min} to ${max}`);
    return defaultValue;
  }

  /** Reads an address to listen on; by default, all addresses of this machine. */
  host(name: string): string {
    return this.#read(name, '::') ?? defaultHost();
  }

  /** Reads a TCP port; 0 lets the system choose one. */
  port(name: string, defaultValue: number): number {
    return this.integer(name, { default: defaultValue, min: 0, max: 65_535 });
  }

  /** Reads `true` or `false`. */
  boolean(name: string, defaultValue: boolean): boolean {
    return this.oneOf(name, ['true', 'false'], defaultValue ? 'true' : 'false') === 'true';
  }

  /** Reads a duration such as `500ms`, `4s`, `2m` or `1h`. Returns milliseconds. */
  durationMs(name: string, options: { default: string; minMs?: number; maxMs?: number }): number {
    const { default: defaultText, minMs = 0, maxMs = MAX_TIMER_MS } = options;
    const unit = 'a duration such as 500ms, 4s, 2m or 1h';
    return this.#quantity(name, defaultText, { parse: parseDurationMs, unit, min: minMs, max: maxMs, suffix: 'ms' });
  }

  /** Reads a size such as `512B`, `64KiB` or `1MiB`. Returns bytes. */
  bytes(name: string, options: { default: string; min?: number; max?: number }): number {
    const { default: defaultText, min = 0, max = Number.MAX_SAFE_INTEGER } = options;
    const unit = 'a size such as 512B, 64KiB or 1MiB';
    return this.#quantity(name, defaultText, { parse: parseBytes, unit, min, max, suffix: 'B' });
  }

  /** Reads a comma-separated list. Items are trimmed, and empty items are skipped. */
  list(name: string, defaultValue: readonly string[] = []): readonly string[] {
    const text = this.#readRaw(name, defaultValue.join(','));
    if (text === undefined) return defaultValue;
    return Object.freeze(
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    );
  }

  /** Reads one of the given values. */
  oneOf<T extends string>(name: string, values: readonly T[], defaultValue: T): T {
    const text = this.#read(name, defaultValue);
    if (text === undefined) return defaultValue;
    const value = values.find((candidate) => candidate === text);
    if (value === undefined) this.fail(name, `must be one of: ${values.join(', ')}`);
    return value ?? defaultValue;
  }

  /** Reads a topic name. */
  topic(name: string, defaultValue: string): Topic {
    const text = this.string(name, defaultValue);
    if (isTopic(text)) return text;
    this.fail(name, 'must be a topic: 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -');
    return parseTopic(defaultValue);
  }

  /** Reads a bearer token; undefined if it is not set. */
  token(name: string): string | undefined {
    const text = this.optional(name);
    if (text !== undefined && !isToken(text)) this.fail(name, `must have ${TOKEN_RULE}`);
    return text;
  }

  /** Reads an absolute URL of one of the schemes (given without colon). It must contain no credentials, because URLs are logged. */
  url(name: string, options: { default: string; schemes?: readonly string[] }): string {
    const { default: defaultValue, schemes = ['http', 'https'] } = options;
    const text = this.#read(name, defaultValue);
    if (text === undefined) return defaultValue;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !schemes.includes(url.protocol.slice(0, -1))) {
      this.fail(name, `must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
    } else if (url.username !== '' || url.password !== '')
      this.fail(name, 'must not contain a user name or a password');
    else return text;
    return defaultValue;
  }

  /** Notes a problem, once. Callers use it for problems of several variables, such as settings that contradict each other. */
  fail(name: string, problem: string): void {
    if (this.#problems.some((noted) => noted.name === name && noted.problem === problem)) return;
    this.#problems.push({ name, problem });
  }

  /** @throws {ConfigError} with all problems, if there were any */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }

  /** Returns every variable that was read so far. */
  settings(): readonly Setting[] {
    return [...this.#settings.values()];
  }

  /** Reads a value of one line. A line break at its end comes with files of secrets, and makes every comparison fail. */
  #read(name: string, defaultText: string): string | undefined {
    const text = this.#readRaw(name, defaultText);
    if (text === undefined || !/^[\r\n]|[\r\n]$/.test(text)) return text;
    this.fail(name, 'must not begin or end with a line break');
    return undefined;
  }

  #readRaw(name: string, defaultText: string): string | undefined {
    if (!this.#settings.has(name)) this.#settings.set(name, { name, default: defaultText });
    return this.#env[name] || undefined;
  }

  #quantity(
    name: string,
    defaultText: string,
    rules: { parse: (text: string) => number | undefined; unit: string; min: number; max: number; suffix: string },
  ): number {
    const { parse, unit, min, max, suffix } = rules;
    const defaultValue = parse(defaultText);
    if (defaultValue === undefined) throw new TypeError(`the default of ${name} is not ${unit}`);
    const text = this.#read(name, defaultText);
    if (text === undefined) return defaultValue;
    const value = parse(text);
    if (value === undefined) this.fail(name, `must be ${unit}`);
    else if (value < min || value > max) this.fail(name, `must be from ${min}${suffix} to ${max}${suffix}`);
    else return value;
    return defaultValue;
  }
}
