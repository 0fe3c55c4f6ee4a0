import { createHash, type Hash } from 'node:crypto';

/** How many lines are kept. */
const KEPT_LINES = 4000;

/** What happened in a run, in order. Keeps the newest lines, and a digest of all. */
export class Trace {
  readonly #nowMs: () => number;
  readonly #hash: Hash = createHash('sha256');
  #lines: string[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  note(what: string): void {
    const line = `${(this.#nowMs() / 1000).toFixed(3)} ${what}`;
    this.#hash.update(`${line}\n`);
    this.#lines.push(line);
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines = this.#lines.slice(-KEPT_LINES);
  }

  /** The newest lines. */
  get lines(): readonly string[] {
    return this.#lines.slice(-KEPT_LINES);
  }

  /** The same for two runs in which the same happened. */
  get digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
