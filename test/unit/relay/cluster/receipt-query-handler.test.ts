import { beforeEach, describe, expect, it } from 'vitest';
import { ReceiptQueryHandler } from '../../../../services/relay/cluster/receipt-query-handler.ts';
import type { ReceiptQuery, ReceiptReply } from '../../../../services/shared/broker/receipts.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

describe('receipt queries', () => {
  let time: VirtualTime;
  let handle: (query: ReceiptQuery) => void;
  let replies: { id: string; relay: string; reply: ReceiptReply; atMs: number }[];
  let version: number;
  let fails: boolean;

  beforeEach(() => {
    time = new VirtualTime();
    replies = [];
    version = 1;
    fails = false;
    const handler = new ReceiptQueryHandler({
      relay: 'me',
      clock: time.clock(),
      receiptOf: (topic) =>
        topic === 'unknown' ? undefined : { version, delivered: 1, subscribed: 1, behind: version },
      receipts: {
        async reply({ id }, relay, reply) {
          if (fails) throw new Error('broker unavailable');
          replies.push({ id, relay, reply, atMs: time.nowMs });
        },
      },
    });
    handle = (query) => handler.handle(query);
  });

  const queryOf = (count: number, id = crypto.randomUUID() as string): ReceiptQuery => ({
    id,
    topics: Array.from({ length: count }, (_, i) => `t${i}` as Topic),
  });

  it('are replied to after the updates of their turn are written and the clients that fell behind are known', async () => {
    const turnEnd = (name: string, next?: () => void) =>
      time.atTurnEnd(() => {
        version += 1;
        seen.push(`${name}: ${replies.length} replies`);
        next?.();
      });
    const seen: string[] = [];
    turnEnd('first', () => turnEnd('second'));
    handle({ id: 'q', topics: ['chat', 'unknown'] as Topic[] });
    time.atTurnEnd(() => seen.push(`written: ${replies.length} replies`));
    await time.runFor(1);
    const receipt = { version: 2, delivered: 1, subscribed: 1, behind: 3 };
    expect(replies).toEqual([{ id: 'q', relay: 'me', reply: [receipt, undefined], atMs: 0 }]);
    expect(seen).toEqual(['first: 0 replies', 'written: 0 replies', 'second: 0 replies']);
  });

  it('are replied to once if repeated within a turn, and again in another turn', async () => {
    handle(queryOf(1, 'q'));
    handle(queryOf(1, 'q'));
    await time.runFor(1);
    expect(replies).toHaveLength(1);
    handle(queryOf(1, 'q'));
    await time.runFor(1);
    expect(replies).toHaveLength(2);
  });

  it('are still handled after a reply could not be sent', async () => {
    fails = true;
    handle(queryOf(1));
    await time.runFor(1);
    fails = false;
    handle(queryOf(1));
    await time.runFor(1);
    expect(replies).toHaveLength(1);
  });

  it('are handled over several turns if there are many, up to a limit', async () => {
    for (let n = 0; n < 300; n += 1) handle(queryOf(n === 7 ? 90 : 30));
    const topicsInTurns: number[] = [];
    let before = 0;
    const count = () => {
      const topics = replies.slice(before).reduce((sum, { reply }) => sum + reply.length, 0);
      before = replies.length;
      if (topics > 0) topicsInTurns.push(topics);
      if (topics > 0 || topicsInTurns.length === 0) time.atTurnEnd(count);
    };
    time.atTurnEnd(count);
    await time.runFor(1);
    expect(replies).toHaveLength(256);
    expect(Math.max(...topicsInTurns)).toBe(90);
    expect(topicsInTurns.length).toBeGreaterThan(80);
  });
});
