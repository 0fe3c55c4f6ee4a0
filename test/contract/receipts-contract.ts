import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker, FeedHandler } from '../../services/shared/broker/broker.ts';
import type { ReceiptQuery, ReceiptReply } from '../../services/shared/broker/receipts.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';

const IGNORES_EVENTS: FeedHandler = { deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} };

/** The contract of the receipts of every broker. */
export function describeReceipts(
  name: string,
  createCluster: () => Promise<{ connect(): Broker; close(): Promise<void> }>,
): void {
  describe(`receipts (${name})`, () => {
    let cluster: Awaited<ReturnType<typeof createCluster>>;
    let relay: Broker;
    let webhook: Broker;
    let received: ReceiptQuery[];
    const started = new Set<Broker>();

    beforeEach(async () => {
      cluster = await createCluster();
      received = [];
      relay = cluster.connect();
      webhook = cluster.connect();
      relay.setFeedHandler(IGNORES_EVENTS);
      relay.receipts.onQuery((query) => received.push(query));
      for (const broker of started.add(relay).add(webhook)) await broker.start();
    });

    afterEach(async () => {
      for (const broker of started) await broker.stop();
      started.clear();
      await cluster.close();
    });

    const queryFor = (count: number): ReceiptQuery => ({
      id: randomUUID(),
      topics: Array.from({ length: count }, (_, i) => `topic-${i}/${randomUUID().slice(0, 8)}` as Topic),
    });
    const receipt = (version: number) => ({ version, delivered: 3, subscribed: 2, behind: 1 });

    it('a query reaches relays, whichever partition its topics belong to, and again when it is repeated', async () => {
      for (const count of [1, 1, 1, 1, 1, 100]) {
        const query = queryFor(count);
        await eventually(async () => {
          await webhook.receipts.sendQuery(query);
          expect(received).toContainEqual(query);
        });
        const before = received.length;
        await webhook.receipts.sendQuery(query);
        await eventually(() => expect(received.length).toBeGreaterThan(before));
      }
    });

    it('a stored query reaches a relay when it exchanges its load', async () => {
      const query = queryFor(2);
      await webhook.receipts.storeQuery(query);
      await relay.exchangeLoad('relay', { connections: 1 });
      await eventually(() => expect(received).toContainEqual(query));
      await webhook.receipts.deleteQuery(query);
      received.length = 0;
      await relay.exchangeLoad('relay', { connections: 1 });
      expect(received).toEqual([]);
    });

    it('the last reply of each relay counts, aligned with the topics', async () => {
      const query = queryFor(2);
      const replies: [string, ReceiptReply][] = [
        ['host/1/a', [receipt(1_790_000_000_000_001), undefined]],
        ['host/1/b', [undefined, receipt(0)]],
        ['host/1/a', [receipt(1_790_000_000_000_002), receipt(7)]],
      ];
      expect(await webhook.receipts.readReplies(query)).toEqual(new Map());
      for (const [name, reply] of replies) await relay.receipts.reply(query, name, reply);
      expect(await webhook.receipts.readReplies(query)).toEqual(new Map([replies[1], replies[2]] as never));
      expect(await webhook.receipts.readReplies(queryFor(2))).toEqual(new Map());
    });

    it('replies are deleted with their query', async () => {
      const query = queryFor(1);
      await relay.receipts.reply(query, 'relay', [receipt(1)]);
      await webhook.receipts.deleteQuery(query);
      expect(await webhook.receipts.readReplies(query)).toEqual(new Map());
    });

    it('the membership contains registered relays until they are removed', async () => {
      await relay.exchangeLoad('one', { connections: 0 });
      await webhook.exchangeLoad('two', { connections: 5 });
      const { relays, missing } = await webhook.receipts.membership();
      expect([[...relays].sort(), missing]).toEqual([['one', 'two'], 0]);
      await relay.exchangeLoad('one', undefined);
      await webhook.exchangeLoad('two', { connections: 5 });
      expect(await webhook.receipts.membership()).toEqual({ relays: ['two'], missing: 0 });
    });

    it('the membership contains a relay that shuts down, until its registration of its own length expires', async () => {
      // Again if it expired before it was read.
      await eventually(async () => {
        await relay.exchangeLoad('leaving', { connections: 3, draining: true, ttlMs: 400 });
        await webhook.exchangeLoad('staying', { connections: 5 });
        expect([...(await webhook.receipts.membership()).relays].sort()).toEqual(['leaving', 'staying']);
        const loads = await webhook.exchangeLoad('staying', { connections: 5 });
        expect(loads).toContainEqual({ connections: 3, draining: true });
        expect(loads).toContainEqual({ connections: 5 });
      });
      await eventually(async () => expect((await webhook.receipts.membership()).relays).toEqual(['staying']));
    });

    it('the membership reports a missing relay if none is registered', async () => {
      expect(await webhook.receipts.membership()).toEqual({ relays: [], missing: 1 });
    });
  });
}
