import { setTimeout as wait } from 'node:timers/promises';
import { preciseNowMs } from '../../services/loadtest/timing/precise-now.ts';
import { type Elapsed, startStopwatch } from './elapsed.ts';
import { Ledger } from './ledger.ts';

/** A call that a webhook refused. */
export interface Refusal extends Elapsed {
  /** 0 if there was no response. */
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | null;
  readonly code: string;
  readonly atMs: number;
}

/** The delay before a refused call is repeated: below `Retry-After`, to detect early when it works again. */
const RETRY_MS = 100;

/**
 * A web app that publishes continuously: one call after another to each webhook, each with the next few topics.
 * Repeats a refused call at the next webhook until it is acknowledged.
 */
export class SteadyPublisher {
  readonly ledger = new Ledger();
  readonly refusals: Refusal[] = [];
  readonly #webhooks: readonly { url: string; token: string }[];
  readonly #topics: readonly string[];
  readonly #batch: number;
  readonly #intervalMs: number;
  readonly #data: () => unknown;
  #next = 0;
  #running = false;
  #stopped = false;
  #loops: Promise<void>[] = [];

  /** @param deps.data returns the data of the next call; undefined for none */
  constructor(deps: {
    webhooks: readonly { url: string; token: string }[];
    topics: readonly string[];
    batch: number;
    intervalMs: number;
    data?: () => unknown;
  }) {
    this.#webhooks = deps.webhooks;
    this.#topics = deps.topics;
    this.#batch = deps.batch;
    this.#intervalMs = deps.intervalMs;
    this.#data = deps.data ?? (() => ({ sentAtMs: preciseNowMs() }));
  }

  /** Starts, or continues after `pause`. */
  resume(): void {
    this.#running = true;
    this.#loops = this.#webhooks.map((_, i) => this.#loop(i));
  }

  /** Stops publishing; resolves once the calls in progress are acknowledged. */
  async pause(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  /** Stops permanently, even if a call is never acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.pause();
  }

  /** Publishes topics, repeating the call until it is acknowledged. */
  async publish(topics: readonly string[], firstWebhook = 0): Promise<void> {
    for (let attempt = firstWebhook; !this.#stopped; attempt += 1) {
      if (await this.#call(topics, this.#webhooks[attempt % this.#webhooks.length])) return;
      await wait(RETRY_MS);
    }
  }

  async #loop(webhook: number): Promise<void> {
    while (this.#running && !this.#stopped) {
      const topics = Array.from(
        { length: this.#batch },
        (_, i) => this.#topics[(this.#next + i) % this.#topics.length],
      );
      this.#next += this.#batch;
      await this.publish(topics as string[], webhook);
      await wait(this.#intervalMs);
    }
  }

  async #call(topics: readonly string[], webhook: { url: string; token: string } | undefined): Promise<boolean> {
    if (!webhook) throw new Error('no webhook');
    const sentAtMs = preciseNowMs();
    const data = this.#data();
    const stopwatch = startStopwatch();
    try {
      const response = await fetch(`${webhook.url}/webhook`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${webhook.token}` },
        body: JSON.stringify({ topics, data }),
      });
      const answer = (await response.json()) as {
        code?: string;
        updates?: { topic: string; version: number }[];
      };
      const ackedAtMs = preciseNowMs();
      if (response.status === 200) {
        stopwatch.stop();
        for (const update of answer.updates ?? [])
          this.ledger.record({ ...update, sentAtMs, ackedAtMs, ...(data !== undefined && { data }) });
        return true;
      }
      this.refusals.push({
        status: response.status,
        contentType: response.headers.get('content-type') ?? '',
        retryAfter: response.headers.get('retry-after'),
        code: answer.code ?? '',
        atMs: sentAtMs,
        ...stopwatch.stop(),
      });
    } catch (error) {
      const code = error instanceof Error ? error.message : String(error);
      this.refusals.push({ status: 0, contentType: '', retryAfter: null, code, atMs: sentAtMs, ...stopwatch.stop() });
    }
    return false;
  }
}
