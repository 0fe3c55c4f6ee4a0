import type { PublishError, Publisher } from '../../client/publisher.ts';
import type { Schedule } from '../clients/client-plan.ts';
import { type TopicChoice, topicName } from '../clients/topic-assignment.ts';
import type { LastUpdates, Reasons } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import { preciseNowMs } from '../timing/precise-now.ts';
import { sleep, untilSignal } from '../timing/until-signal.ts';

/** What became of the updates. */
export interface PublishFigures {
  readonly due: number;
  readonly accepted: number;
  readonly failed: Reasons;
  /** Calls that failed and were made again. */
  readonly repeated: Reasons;
}

/** Makes what publishes; `retrying` is to be told of each failure after which it calls again. */
export type CreatePublisher = (retrying: (error: PublishError) => void) => Pick<Publisher, 'publish'>;

/**
 * Publishes updates at their times, whether or not those before were answered: a slow webhook must show in the
 * latencies, not in fewer updates.
 */
export class Publishing {
  readonly #publisher: Pick<Publisher, 'publish'>;
  readonly #choice: TopicChoice;
  readonly #padding: string;
  readonly #schedule: Schedule;
  readonly #count: number;
  readonly #versions: number[];
  readonly #dueMs: number[];
  readonly #failed: Record<string, number> = {};
  readonly #repeated: Record<string, number> = {};
  readonly #pending = new Set<Promise<void>>();
  /** From when an update was due until the webhook had answered. */
  readonly answers = new Latency();
  #due = 0;
  #accepted = 0;

  constructor(deps: {
    publisher: CreatePublisher;
    choice: TopicChoice;
    payloadBytes: number;
    schedule: Schedule;
    count: number;
  }) {
    this.#publisher = deps.publisher((error) => count(this.#repeated, error));
    this.#choice = deps.choice;
    this.#padding = 'x'.repeat(deps.payloadBytes);
    this.#schedule = deps.schedule;
    this.#count = deps.count;
    this.#versions = new Array(deps.choice.topics).fill(0);
    this.#dueMs = new Array(deps.choice.topics).fill(0);
  }

  get figures(): PublishFigures {
    return { due: this.#due, accepted: this.#accepted, failed: { ...this.#failed }, repeated: { ...this.#repeated } };
  }

  /**
   * Seconds from when the first update was due until all were told of the last one, which took `toldMs`; where not all
   * were, or it took less than the pause between updates, until the next one would have been due.
   */
  tookS(toldMs: number | undefined): number {
    const { intervalMs } = this.#schedule;
    return ((this.#due - 1) * intervalMs + Math.max(intervalMs, toldMs ?? 0)) / 1000;
  }

  /** The last update of each topic that was accepted. */
  get last(): LastUpdates {
    return { versions: this.#versions, dueMs: this.#dueMs };
  }

  /** Publishes them all, and resolves once all are answered; or at the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { startMs, intervalMs } = this.#schedule;
    while (this.#due < this.#count && !signal.aborted) {
      const dueMs = startMs + this.#due * intervalMs;
      const waitMs = dueMs - preciseNowMs();
      if (waitMs > 0) {
        await sleep(waitMs, signal);
        continue;
      }
      const done = this.#publish(this.#due, dueMs);
      this.#pending.add(done);
      void done.then(() => this.#pending.delete(done));
      this.#due += 1;
    }
    await untilSignal(Promise.all(this.#pending), signal);
  }

  async #publish(n: number, dueMs: number): Promise<void> {
    const topic = n % this.#choice.topics;
    const sequence = Math.floor(n / this.#choice.topics) + 1;
    const data = { dueMs, sequence, ...(this.#padding === '' ? {} : { padding: this.#padding }) };
    try {
      const [update] = await this.#publisher.publish(topicName(this.#choice, topic), { data });
      this.answers.record(preciseNowMs() - dueMs);
      this.#accepted += 1;
      if (!update || update.version <= (this.#versions[topic] ?? 0)) return;
      this.#versions[topic] = update.version;
      this.#dueMs[topic] = dueMs;
    } catch (error) {
      count(this.#failed, error);
    }
  }
}

function count(reasons: Record<string, number>, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  reasons[reason] = (reasons[reason] ?? 0) + 1;
}
