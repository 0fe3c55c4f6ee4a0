/** An update acknowledged by a webhook, with times of the publisher's clock. */
export interface Acknowledged {
  readonly topic: string;
  readonly version: number;
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
  /** Absent if it was published without. */
  readonly data?: unknown;
}

/** All acknowledged updates: what clients are compared with. */
export class Ledger {
  readonly #byTopic = new Map<string, Acknowledged[]>();

  /** The number of acknowledged updates. */
  get size(): number {
    return [...this.#byTopic.values()].reduce((sum, list) => sum + list.length, 0);
  }

  record(update: Acknowledged): void {
    const list = this.#byTopic.get(update.topic) ?? [];
    list.push(update);
    this.#byTopic.set(update.topic, list);
  }

  /** Returns the updates of a topic, in the order of their acknowledgements. */
  of(topic: string): readonly Acknowledged[] {
    return this.#byTopic.get(topic) ?? [];
  }

  /** Returns the highest acknowledged version; 0 if there is none. */
  version(topic: string): number {
    return Math.max(0, ...this.of(topic).map(({ version }) => version));
  }

  /** Returns the time at which the newest acknowledged update was sent; 0 if there is none. */
  sentAtMs(topic: string): number {
    return Math.max(0, ...this.of(topic).map(({ sentAtMs }) => sentAtMs));
  }

  /** Returns the first update of a topic that was sent after a time. */
  firstAfter(topic: string, timeMs: number): Acknowledged | undefined {
    return this.of(topic).find(({ sentAtMs }) => sentAtMs > timeMs);
  }
}
