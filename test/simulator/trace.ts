import { createHash, type Hash } from 'node:crypto';

/** The number of lines kept. */
const KEPT_LINES = 4000;

/** The events of a run, in order. Keeps the newest lines, and a hash of all. */
export class Trace {
  readonly #nowMs: () => number;
  readonly #hash: Hash = createHash('sha256');
  #connections: string[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  log(what: string): void {
    const line = `${(this.#nowMs() / 1000).toFixed(3)} ${what}`;
    this.#hash.update(`${line}\n`);
    this.#connections.push(line);
    if (this.#connections.length > 2 * KEPT_LINES) this.#connections = this.#connections.slice(-KEPT_LINES);
  }

  /** The newest lines. */
  get lines(): readonly string[] {
    return this.#connections.slice(-KEPT_LINES);
  }

  /** A hash of all lines: equal for runs that went the same way. */
  get digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
