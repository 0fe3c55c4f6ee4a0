/** One update that a webhook has acknowledged, with the times of the publisher's clock. */
export interface Acknowledged {
  readonly topic: string;
  readonly version: number;
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
}

/** Everything that was acknowledged: what clients may be measured by. */
export class Ledger {
  readonly #byTopic = new Map<string, Acknowledged[]>();

  /** How many updates were acknowledged. */
  get size(): number {
    return [...this.#byTopic.values()].reduce((sum, list) => sum + list.length, 0);
  }

  record(update: Acknowledged): void {
    const list = this.#byTopic.get(update.topic) ?? [];
    list.push(update);
    this.#byTopic.set(update.topic, list);
  }

  /** The updates of a topic, in the order of their answers. */
  of(topic: string): readonly Acknowledged[] {
    return this.#byTopic.get(topic) ?? [];
  }

  /** The highest version acknowledged; 0 where there is none. */
  version(topic: string): number {
    return Math.max(0, ...this.of(topic).map(({ version }) => version));
  }

  /** When the newest acknowledged update was sent; 0 where there is none. */
  sentAtMs(topic: string): number {
    return Math.max(0, ...this.of(topic).map(({ sentAtMs }) => sentAtMs));
  }

  /** The first update of a topic that was sent after this time. */
  firstAfter(topic: string, timeMs: number): Acknowledged | undefined {
    return this.of(topic).find(({ sentAtMs }) => sentAtMs > timeMs);
  }
}
