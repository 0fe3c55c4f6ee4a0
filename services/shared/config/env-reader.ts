import { isTopic, parseTopic, type Topic } from '../update/topic.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { parseBytes, parseDurationMs } from './units.ts';

/** The variables of a process, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that was read, with its default as text; empty where it has none. */
export interface Setting {
  readonly name: string;
  readonly default: string;
}

/** The longest delay that a timer can wait, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Reads the environment variable by variable and collects every problem, so that all of them can be
 * told at once: a reading method never throws, it notes the problem and returns the default. Read
 * everything, then call `finish`. An empty variable counts as unset. No message ever holds a value.
 */
export class EnvReader {
  readonly #env: Environment;
  readonly #problems: ConfigProblem[] = [];
  readonly #settings = new Map<string, Setting>();

  constructor(env: Environment) {
    this.#env = env;
  }

  /** The variable as it is. */
  string(name: string, defaultValue: string): string {
    return this.#read(name, defaultValue) ?? defaultValue;
  }

  /** The variable as it is; undefined where it is not set. */
  optional(name: string): string | undefined {
    return this.#read(name, '');
  }

  /** A whole number within the bounds, both included. */
  integer(name: string, options: { default: number; min?: number; max?: number }): number {
    const { default: defaultValue, min = 0, max = Number.MAX_SAFE_INTEGER } = options;
    const text = this.#read(name, String(defaultValue));
    if (text === undefined) return defaultValue;
    const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.fail(name, `must be a whole number from ${min} to ${max}`);
    return defaultValue;
  }

  /** A TCP port; 0 lets the system choose. */
  port(name: string, defaultValue: number): number {
    return this.integer(name, { default: defaultValue, min: 0, max: 65_535 });
  }

  /** `true` or `false`. */
  boolean(name: string, defaultValue: boolean): boolean {
    return this.oneOf(name, ['true', 'false'], defaultValue ? 'true' : 'false') === 'true';
  }

  /** A duration such as `500ms`, `4s`, `2m` or `1h`, in milliseconds. */
  durationMs(name: string, options: { default: string; minMs?: number; maxMs?: number }): number {
    const { default: defaultText, minMs = 0, maxMs = MAX_TIMER_MS } = options;
    const unit = 'a duration such as 500ms, 4s, 2m or 1h';
    return this.#quantity(name, defaultText, { parse: parseDurationMs, unit, min: minMs, max: maxMs, suffix: 'ms' });
  }

  /** A size such as `512B`, `64KiB` or `1MiB`, in bytes. */
  bytes(name: string, options: { default: string; min?: number; max?: number }): number {
    const { default: defaultText, min = 0, max = Number.MAX_SAFE_INTEGER } = options;
    const unit = 'a size such as 512B, 64KiB or 1MiB';
    return this.#quantity(name, defaultText, { parse: parseBytes, unit, min, max, suffix: 'B' });
  }

  /** The items between commas, without the spaces around them and without empty ones. */
  list(name: string, defaultValue: readonly string[] = []): readonly string[] {
    const text = this.#read(name, defaultValue.join(','));
    if (text === undefined) return defaultValue;
    return Object.freeze(
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    );
  }

  /** One of the given words. */
  oneOf<T extends string>(name: string, values: readonly T[], defaultValue: T): T {
    const text = this.#read(name, defaultValue);
    if (text === undefined) return defaultValue;
    const value = values.find((candidate) => candidate === text);
    if (value === undefined) this.fail(name, `must be one of: ${values.join(', ')}`);
    return value ?? defaultValue;
  }

  /** The name of a topic. */
  topic(name: string, defaultValue: string): Topic {
    const text = this.string(name, defaultValue);
    if (isTopic(text)) return text;
    this.fail(name, 'must be a topic: 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -');
    return parseTopic(defaultValue);
  }

  /** A token that can be sent in a header; undefined where it is not set. */
  token(name: string): string | undefined {
    const text = this.optional(name);
    if (text !== undefined && !/^[\x21-\x7e]+$/.test(text)) {
      this.fail(name, 'must be printable ASCII without spaces: anything else cannot be sent in a header');
    }
    return text;
  }

  /** An absolute URL of one of the schemes (without colon), with no secret in it: URLs stand in log lines. */
  url(name: string, options: { default: string; schemes?: readonly string[] }): string {
    const { default: defaultValue, schemes = ['http', 'https'] } = options;
    const text = this.#read(name, defaultValue);
    if (text === undefined) return defaultValue;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !schemes.includes(url.protocol.slice(0, -1))) {
      this.fail(name, `must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
    } else if (url.username !== '' || url.password !== '') this.fail(name, 'must hold no user name and no password');
    else return text;
    return defaultValue;
  }

  /** Notes a problem, once; also one that no single reading shows, such as two settings that contradict each other. */
  fail(name: string, problem: string): void {
    if (this.#problems.some((noted) => noted.name === name && noted.problem === problem)) return;
    this.#problems.push({ name, problem });
  }

  /** Throws one `ConfigError` with all problems where there were any. */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }

  /** Every variable that was read so far. */
  settings(): readonly Setting[] {
    return [...this.#settings.values()];
  }

  #read(name: string, defaultText: string): string | undefined {
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
