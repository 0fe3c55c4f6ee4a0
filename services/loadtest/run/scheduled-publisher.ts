import type { PublishError, Publisher } from '../../client/publisher.ts';
import { type TopicAssignment, topicName } from '../clients/topic-assignment.ts';
import type { UpdateSchedule } from '../clients/update-schedule.ts';
import { createReasons, type LastUpdates, type Reasons } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import { preciseNowMs } from '../timing/precise-now.ts';
import { sleep, untilSignal } from '../timing/until-signal.ts';

/** The counts of published updates. */
export interface PublishFigures {
  readonly due: number;
  readonly accepted: number;
  readonly failed: Reasons;
  /** Failed calls that were retried. */
  readonly retried: Reasons;
}

/** Creates the publisher to use; it must call `retrying` for each failure that it retries. */
export type CreatePublisher = (retrying: (error: PublishError) => void) => Pick<Publisher, 'publish'>;

/**
 * Publishes each update at its due time, whether or not earlier calls have returned: a slow webhook must show in the
 * latencies and not reduce the number of updates.
 */
export class ScheduledPublisher {
  readonly #publisher: Pick<Publisher, 'publish'>;
  readonly #assignment: TopicAssignment;
  readonly #padding: string;
  readonly #schedule: UpdateSchedule;
  readonly #count: number;
  readonly #versions: number[];
  readonly #dueMs: number[];
  readonly #versionOf = new Map<number, number>();
  #aheadAtLeastMs = Number.NEGATIVE_INFINITY;
  #aheadAtMostMs = Number.POSITIVE_INFINITY;
  readonly #failed = createReasons();
  readonly #retried = createReasons();
  readonly #pending = new Set<Promise<void>>();
  /** From the due time of an update until the response of the webhook. */
  readonly responseLatency = new Latency();
  #due = 0;
  #accepted = 0;

  constructor(deps: {
    publisher: CreatePublisher;
    assignment: TopicAssignment;
    payloadBytes: number;
    schedule: UpdateSchedule;
    count: number;
  }) {
    this.#publisher = deps.publisher((error) => count(this.#retried, error));
    this.#assignment = deps.assignment;
    this.#padding = 'x'.repeat(deps.payloadBytes);
    this.#schedule = deps.schedule;
    this.#count = deps.count;
    this.#versions = new Array(deps.assignment.topics).fill(0);
    this.#dueMs = new Array(deps.assignment.topics).fill(0);
  }

  get figures(): PublishFigures {
    return { due: this.#due, accepted: this.#accepted, failed: { ...this.#failed }, retried: { ...this.#retried } };
  }

  /**
   * Returns the seconds from the first due time until all clients had the last update, but at least until another
   * update would have been due.
   * @param notifiedMs the time it took until all clients had the last update; undefined if not all had it
   */
  durationS(notifiedMs: number | undefined): number {
    const { intervalMs } = this.#schedule;
    return ((this.#due - 1) * intervalMs + Math.max(intervalMs, notifiedMs ?? 0)) / 1000;
  }

  /** The last accepted update of each topic. */
  get last(): LastUpdates {
    return { versions: this.#versions, dueMs: this.#dueMs, updates: this.#due };
  }

  /**
   * Returns how long after its due time the version of an update was assigned, in milliseconds; undefined if it was not accepted.
   * A version is a time of the cluster's clock: it was assigned between the call and the response, so that all calls together
   * show how far that clock is ahead of ours.
   */
  assignedAfterMs(update: number): number | undefined {
    const version = this.#versionOf.get(update);
    if (version === undefined) return undefined;
    const aheadMs = (this.#aheadAtLeastMs + this.#aheadAtMostMs) / 2;
    return version / 1000 - aheadMs - (this.#schedule.startMs + update * this.#schedule.intervalMs);
  }

  /** Publishes all updates; resolves once all calls have returned, or at the signal. */
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
    const topic = n % this.#assignment.topics;
    const sequence = Math.floor(n / this.#assignment.topics) + 1;
    const data = { dueMs, sequence, ...(this.#padding === '' ? {} : { padding: this.#padding }) };
    const calledAtMs = preciseNowMs();
    try {
      const [update] = await this.#publisher.publish(topicName(this.#assignment, topic), { data });
      const nowMs = preciseNowMs();
      this.responseLatency.record(nowMs - dueMs);
      this.#accepted += 1;
      if (update) {
        this.#versionOf.set(n, update.version);
        this.#aheadAtLeastMs = Math.max(this.#aheadAtLeastMs, update.version / 1000 - nowMs);
        this.#aheadAtMostMs = Math.min(this.#aheadAtMostMs, update.version / 1000 - calledAtMs);
      }
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
