import { Backoff } from '../../client/backoff.ts';
import { Spread } from '../../client/spread.ts';

/** While the relay cannot vouch for what it says: the shortest and the longest wait between two fetches. */
export const FALLBACK_MIN_MS = 15_000;
export const FALLBACK_MAX_MS = 30_000;

/** The wait after a fetch that failed is up to the first, then up to twice as long, up to the cap. */
const FIRST_RETRY_MS = 1000;
const RETRY_CAP_MS = 30_000;

type Timer = ReturnType<typeof setTimeout>;

/**
 * Decides when the page fetches: one fetch at a time, once more where there was news meanwhile, again and again
 * where it fails, and never without a reason; only in the fallback also now and then.
 */
export class Refetch {
  readonly #fetch: () => Promise<void>;
  readonly #random: () => number;
  readonly #spread: Spread;
  readonly #backoff: Backoff;
  #running = false;
  #wanted = false;
  #retry: Timer | undefined;
  #fallback: Timer | undefined;

  /** `fetch` gets what is new and shows it; it rejects where that fails. */
  constructor(fetch: () => Promise<void>, random: () => number = Math.random) {
    this.#fetch = fetch;
    this.#random = random;
    this.#spread = new Spread(() => this.now(), random);
    this.#backoff = new Backoff({ firstMs: FIRST_RETRY_MS, capMs: RETRY_CAP_MS, random });
  }

  /** Fetches within so many milliseconds. */
  within(spreadMs = 0): void {
    this.#spread.within(spreadMs);
  }

  /** Fetches at once. */
  now(): void {
    this.#wanted = true;
    clearTimeout(this.#retry);
    void this.#run();
  }

  /** Fetches now and then as long as nobody can be relied on to say when. */
  fallback(on: boolean): void {
    if (!on) {
      clearTimeout(this.#fallback);
      this.#fallback = undefined;
    } else if (this.#fallback === undefined) {
      this.#fallback = setTimeout(
        () => {
          this.#fallback = undefined;
          this.now();
          this.fallback(true);
        },
        FALLBACK_MIN_MS + this.#random() * (FALLBACK_MAX_MS - FALLBACK_MIN_MS),
      );
    }
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#wanted) {
        this.#wanted = false;
        await this.#fetch();
        this.#backoff.reset();
      }
    } catch {
      this.#retry = setTimeout(() => this.now(), this.#backoff.nextMs());
    } finally {
      this.#running = false;
    }
  }
}
