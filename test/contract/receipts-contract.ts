import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker, FeedHandler } from '../../services/shared/broker/broker.ts';
import type { ReceiptQuery, ReceiptReply } from '../../services/shared/broker/receipts.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';

const DEAF: FeedHandler = { deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} };

/** The promise of every broker's receipts. */
export function describeReceipts(
  name: string,
  createCluster: () => Promise<{ connect(): Broker; close(): Promise<void> }>,
): void {
  describe(`receipts (${name})`, () => {
    let cluster: Awaited<ReturnType<typeof createCluster>>;
    let relay: Broker;
    let webhook: Broker;
    let heard: ReceiptQuery[];
    const started = new Set<Broker>();

    beforeEach(async () => {
      cluster = await createCluster();
      heard = [];
      relay = cluster.connect();
      webhook = cluster.connect();
      relay.setFeedHandler(DEAF);
      relay.receipts.onQuery((question) => heard.push(question));
      for (const broker of started.add(relay).add(webhook)) await broker.start();
    });

    afterEach(async () => {
      for (const broker of started) await broker.stop();
      started.clear();
      await cluster.close();
    });

    const questionAbout = (count: number): ReceiptQuery => ({
      id: randomUUID(),
      topics: Array.from({ length: count }, (_, i) => `topic-${i}/${randomUUID().slice(0, 8)}` as Topic),
    });
    const receipt = (version: number) => ({ version, told: 3, listening: 2, behind: 1 });

    it('a question reaches relays, in whichever partition its topics are, and again when it is put again', async () => {
      for (const count of [1, 1, 1, 1, 1, 100]) {
        const question = questionAbout(count);
        await eventually(async () => {
          await webhook.receipts.sendQuery(question);
          expect(heard).toContainEqual(question);
        });
        const before = heard.length;
        await webhook.receipts.sendQuery(question);
        await eventually(() => expect(heard.length).toBeGreaterThan(before));
      }
    });

    it('a question that is insisted on reaches a relay when it exchanges its load', async () => {
      const question = questionAbout(2);
      await webhook.receipts.storeQuery(question);
      await relay.exchangeLoad('relay', { connections: 1 });
      await eventually(() => expect(heard).toContainEqual(question));
      await webhook.receipts.deleteQuery(question);
      heard.length = 0;
      await relay.exchangeLoad('relay', { connections: 1 });
      expect(heard).toEqual([]);
    });

    it('each relay has one answer, its last, aligned with the topics', async () => {
      const question = questionAbout(2);
      const answers: [string, ReceiptReply][] = [
        ['host/1/a', [receipt(1_790_000_000_000_001), undefined]],
        ['host/1/b', [undefined, receipt(0)]],
        ['host/1/a', [receipt(1_790_000_000_000_002), receipt(7)]],
      ];
      expect(await webhook.receipts.readReplies(question)).toEqual(new Map());
      for (const [name, answer] of answers) await relay.receipts.reply(question, name, answer);
      expect(await webhook.receipts.readReplies(question)).toEqual(new Map([answers[1], answers[2]] as never));
      expect(await webhook.receipts.readReplies(questionAbout(2))).toEqual(new Map());
    });

    it('answers are thrown away when they are forgotten', async () => {
      const question = questionAbout(1);
      await relay.receipts.reply(question, 'relay', [receipt(1)]);
      await webhook.receipts.deleteQuery(question);
      expect(await webhook.receipts.readReplies(question)).toEqual(new Map());
    });

    it('the census names the relays that are there, until they go', async () => {
      await relay.exchangeLoad('one', { connections: 0 });
      await webhook.exchangeLoad('two', { connections: 5 });
      const { relays, missing } = await webhook.receipts.membership();
      expect([[...relays].sort(), missing]).toEqual([['one', 'two'], 0]);
      await relay.exchangeLoad('one', undefined);
      await webhook.exchangeLoad('two', { connections: 5 });
      expect(await webhook.receipts.membership()).toEqual({ relays: ['two'], missing: 0 });
    });

    it('the census says that somebody is missing where nobody is there', async () => {
      expect(await webhook.receipts.membership()).toEqual({ relays: [], missing: 1 });
    });
  });
}
