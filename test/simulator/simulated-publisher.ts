import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { updateBody } from '../support/update-body.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedApp } from './simulated-app.ts';
import { FLOOR_SPREAD_MS } from './simulated-relay.ts';
import type { PublisherCall, SimulatedWebhook } from './simulated-webhook.ts';
import type { Trace } from './trace.ts';

/** The probability that a call waits for delivery, and for how long, in milliseconds. */
const WAITS = 0.4;
const MAX_WAIT_MS = 20_000;
/** The probability that clients spread their fetches. */
const SPREADS = 0.3;
/** The number of attempts for a call, and the longest delay between them, in milliseconds. */
const ATTEMPTS = 4;
const MAX_DELAY_MS = 1000;

/**
 * The publishing part of the app: saves, then calls a webhook. Repeats a call that did not return 200 with the same id,
 * perhaps to another webhook. One call at a time per topic.
 */
export class SimulatedPublisher {
  readonly #app: SimulatedApp;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #webhooks: () => readonly SimulatedWebhook[];
  readonly #delivered: (webhook: string, topic: Topic, revision: number) => void;
  readonly #busy = new Set<Topic>();

  /** @param deps.delivered called when a webhook has reported an update as delivered */
  constructor(deps: {
    app: SimulatedApp;
    clock: Clock;
    random: SeededRandom;
    trace: Trace;
    webhooks: () => readonly SimulatedWebhook[];
    delivered: (webhook: string, topic: Topic, revision: number) => void;
  }) {
    this.#app = deps.app;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#trace = deps.trace;
    this.#webhooks = deps.webhooks;
    this.#delivered = deps.delivered;
  }

  /** Saves and publishes topics in one call, unless a call for one of them is in progress. */
  publish(topics: readonly Topic[], withData: boolean): void {
    if (topics.some((topic) => this.#busy.has(topic))) return;
    for (const topic of topics) this.#busy.add(topic);
    const revisions = topics.map((topic) => this.#app.save(topic));
    // All topics share one body, so it can be a snapshot only if there is one topic.
    const data = withData && topics.length === 1 ? updateBody({ data: revisions[0] }) : {};
    // Some clients leave before their turn within the spread comes.
    const body = this.#random.chance(SPREADS) ? { ...data, spread: this.#random.integer(1, FLOOR_SPREAD_MS) } : data;
    void this.#call({ id: this.#random.id(), topics, body }, revisions).finally(() => {
      for (const topic of topics) this.#busy.delete(topic);
    });
  }

  async #call(call: PublisherCall, revisions: readonly number[]): Promise<void> {
    for (let left = ATTEMPTS; left > 0; left -= 1) {
      if (await this.#tryOnce(call, revisions)) return;
      await this.#wait(this.#random.between(10, MAX_DELAY_MS));
    }
    this.#trace.log(`publishing ${call.topics} failed`);
  }

  /** Returns whether the reply was 200. A reply of the webhook counts even if it does not arrive. */
  #tryOnce(call: PublisherCall, revisions: readonly number[]): Promise<boolean> {
    const webhook = this.#random.pick(this.#webhooks());
    return new Promise((resolve) => {
      // Above the deadlines of the webhook; one that was killed never replies.
      const deadline = this.#clock.after(10_000, () => resolve(false));
      const finish = (ok: boolean) => {
        deadline.cancel();
        this.#clock.after(this.#random.between(0, 20), () => resolve(ok));
      };
      this.#clock.after(this.#random.between(0, 20), () => {
        if (!webhook.process.alive) return finish(false);
        webhook.post(call).then(
          (versions) => {
            if (!webhook.process.alive) return finish(false);
            call.topics.forEach((topic, i) => {
              const acknowledged = {
                revision: revisions[i] ?? 0,
                version: versions.get(topic) ?? 0,
                atMs: this.#clock.nowMs(),
              };
              this.#trace.log(
                `${webhook.process.name} replies 200: ${topic} #${acknowledged.revision} is ${acknowledged.version}`,
              );
              this.#app.acknowledge(topic, acknowledged);
            });
            finish(true);
            if (this.#random.chance(WAITS)) void this.#waitUntilDelivered(webhook, call.topics, versions, revisions);
          },
          () => finish(false),
        );
      });
    });
  }

  async #waitUntilDelivered(
    webhook: SimulatedWebhook,
    topics: readonly Topic[],
    versions: ReadonlyMap<Topic, Version>,
    revisions: readonly number[],
  ): Promise<void> {
    const updates = topics.map((topic) => ({ topic, version: versions.get(topic) ?? 0 }));
    const isDelivered = await webhook.waitUntilDelivered(updates, this.#random.between(0, MAX_WAIT_MS));
    if (!isDelivered || !webhook.process.alive) return;
    this.#trace.log(
      `${webhook.process.name} reports ${topics.map((topic, i) => `${topic} #${revisions[i]}`)} as delivered`,
    );
    topics.forEach((topic, i) => {
      this.#delivered(webhook.process.name, topic, revisions[i] ?? 0);
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}
