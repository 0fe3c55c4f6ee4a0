import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedApp } from './simulated-app.ts';
import type { PublisherCall, SimulatedWebhook } from './simulated-webhook.ts';
import type { Trace } from './trace.ts';

/** How often a call is repeated that was not answered 200, and after how long, in milliseconds. */
const REPEATS = 4;
const MAX_DELAY_MS = 1000;

/**
 * The side of the app that publishes: saves first, then calls a webhook, and repeats the call with the same id,
 * perhaps at another webhook, where it was not answered 200. One call at a time for each topic.
 */
export class SimulatedPublisher {
  readonly #app: SimulatedApp;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #webhooks: () => readonly SimulatedWebhook[];
  readonly #busy = new Set<Topic>();

  constructor(deps: {
    app: SimulatedApp;
    clock: Clock;
    random: SeededRandom;
    trace: Trace;
    webhooks: () => readonly SimulatedWebhook[];
  }) {
    this.#app = deps.app;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#trace = deps.trace;
    this.#webhooks = deps.webhooks;
  }

  /** Changes topics, all at once, unless a call for one of them is under way. */
  publish(topics: readonly Topic[], withData: boolean): void {
    if (topics.some((topic) => this.#busy.has(topic))) return;
    for (const topic of topics) this.#busy.add(topic);
    const revisions = topics.map((topic) => this.#app.save(topic));
    // One body for all topics: only where there is one topic it is a snapshot of it.
    const body = withData && topics.length === 1 ? { data: revisions[0] } : {};
    void this.#call({ id: this.#random.id(), topics, body }, revisions).finally(() => {
      for (const topic of topics) this.#busy.delete(topic);
    });
  }

  async #call(call: PublisherCall, revisions: readonly number[]): Promise<void> {
    for (let left = REPEATS; left > 0; left -= 1) {
      if (await this.#tryOnce(call, revisions)) return;
      await this.#wait(this.#random.between(10, MAX_DELAY_MS));
    }
    this.#trace.note(`publishing ${call.topics} is given up`);
  }

  /** Whether it was answered 200. What a webhook answers counts, whether it is heard or not. */
  #tryOnce(call: PublisherCall, revisions: readonly number[]): Promise<boolean> {
    const webhook = this.#random.pick(this.#webhooks());
    return new Promise((resolve) => {
      // Long after the webhook's own deadlines; a webhook that was killed never answers.
      const deadline = this.#clock.after(10_000, () => resolve(false));
      const answered = (ok: boolean) => {
        deadline.cancel();
        this.#clock.after(this.#random.between(0, 20), () => resolve(ok));
      };
      this.#clock.after(this.#random.between(0, 20), () => {
        if (!webhook.process.alive) return answered(false);
        webhook.post(call).then(
          (versions) => {
            if (!webhook.process.alive) return answered(false);
            call.topics.forEach((topic, i) => {
              const acknowledged = {
                revision: revisions[i] ?? 0,
                version: versions.get(topic) ?? 0,
                atMs: this.#clock.nowMs(),
              };
              this.#trace.note(
                `${webhook.process.name} answers 200: ${topic} #${acknowledged.revision} is ${acknowledged.version}`,
              );
              this.#app.acknowledge(topic, acknowledged);
            });
            answered(true);
          },
          () => answered(false),
        );
      });
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}
