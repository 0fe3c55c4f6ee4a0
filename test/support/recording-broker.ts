import type { Digest, Published } from '../../services/shared/broker/broker.ts';
import { MemoryReceipts } from '../../services/shared/broker/memory-receipts.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Update, UpdateBody } from '../../services/shared/update/update.ts';
import type { WebhookBroker } from '../../services/webhook/webhook.ts';

/** A broker that records what is published; `failWith` makes it fail instead. */
export class RecordingBroker implements WebhookBroker {
  readonly partitions = 1;
  /** The ids of registered relays. They never reply to receipt queries. */
  relays: readonly string[] = [];
  readonly receipts = new MemoryReceipts({ nowMs: Date.now, relays: () => this.relays });
  readonly published: { topic: Topic; body: UpdateBody; version: number }[] = [];
  readonly #responses = new Map<string, string>();
  failWith: Error | undefined;

  partitionOf(): number {
    return 0;
  }

  async publish(topic: Topic, body: UpdateBody): Promise<Published> {
    if (this.failWith !== undefined) throw this.failWith;
    const version = this.published.length + 1;
    const previous = this.published.findLast((update) => update.topic === topic)?.version ?? 0;
    this.published.push({ topic, body, version });
    return { version, epoch: 'recorded', previous, assignedBefore: version - 1 };
  }

  async publishAll(topics: readonly Topic[], body: UpdateBody): Promise<readonly Published[]> {
    const assignedBefore = this.published.length;
    const published = await Promise.all(topics.map((topic) => this.publish(topic, body)));
    return published.map((update) => ({ ...update, assignedBefore }));
  }

  async read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    return topics.map((topic) => {
      const newest = this.published.findLast((update) => update.topic === topic);
      return newest && { topic, version: newest.version, ...newest.body };
    });
  }

  async loadOrReserve(key: string, reservation: string): Promise<string | undefined> {
    const stored = this.#responses.get(key);
    if (stored === undefined) this.#responses.set(key, reservation);
    return stored;
  }

  async releaseReservation(key: string): Promise<void> {
    this.#responses.delete(key);
  }

  async storeResponse(key: string, response: string): Promise<void> {
    this.#responses.set(key, response);
  }

  async digest(): Promise<Digest> {
    const last = this.published.length;
    return {
      epoch: 'recorded',
      floor: 0,
      raiseId: '0',
      isFirstFloor: true,
      last,
      base: 0,
      retainedSince: 0,
      completeAfter: 0,
      changed: [],
      hasMore: false,
    };
  }
}
