import { describe, expect, it } from 'vitest';
import type { DeliveryReceipt, ReceiptReply } from '../../../services/shared/broker/receipts.ts';
import type { Topic } from '../../../services/shared/update/topic.ts';
import { judgeDelivery } from '../../../services/webhook/delivery.ts';

const UPDATES = [
  { topic: 'a' as Topic, version: 10 },
  { topic: 'b' as Topic, version: 20 },
];
const ALL_THERE = { relays: ['one', 'two'], missing: 0 };
const receipt = (version: number, counts: Partial<DeliveryReceipt> = {}): DeliveryReceipt => ({
  version,
  told: 2,
  listening: 2,
  behind: 0,
  ...counts,
});
const judge = (answers: Record<string, ReceiptReply>, census = ALL_THERE) =>
  judgeDelivery(UPDATES, census, new Map(Object.entries(answers)));
const states = (answers: Record<string, ReceiptReply>, census = ALL_THERE) =>
  judge(answers, census).receipts.map(({ relays }) => relays.map(({ relay, state }) => `${relay} ${state}`));

describe('judgeDelivery', () => {
  it('takes an update for delivered where every relay has handed it or a newer one over, or has nobody to tell', () => {
    const answers = { one: [receipt(10), undefined], two: [receipt(11), receipt(20, { told: 0 })] };
    const delivery = judge(answers);
    expect(delivery.delivered).toBe(true);
    expect(delivery).not.toHaveProperty('missing');
    expect(states(answers)).toEqual([
      ['one delivered', 'two delivered'],
      ['one idle', 'two delivered'],
    ]);
    expect(delivery.receipts[0]).toEqual({
      topic: 'a',
      version: 10,
      delivered: true,
      relays: [
        { relay: 'one', state: 'delivered', version: 10, told: 2, listening: 2, behind: 0 },
        { relay: 'two', state: 'delivered', version: 11, told: 2, listening: 2, behind: 0 },
      ],
    });
  });

  it('does not where a relay has told its clients something older, or nothing', () => {
    const answers = { one: [receipt(9), receipt(20)], two: [receipt(10), receipt(0)] };
    expect(judge(answers)).toMatchObject({ delivered: false, receipts: [{ delivered: false }, { delivered: false }] });
    expect(states(answers)).toEqual([
      ['one pending', 'two delivered'],
      ['one delivered', 'two pending'],
    ]);
  });

  it('does not where a relay says nothing', () => {
    expect(states({ two: [receipt(10), receipt(20)] })).toEqual([
      ['one silent', 'two delivered'],
      ['one silent', 'two delivered'],
    ]);
    expect(judge({ two: [receipt(10), receipt(20)] }).delivered).toBe(false);
  });

  it('does not where relays are missing, and says how many', () => {
    const answers = { one: [receipt(10), receipt(20)] };
    expect(judge(answers, { relays: ['one'], missing: 2 })).toMatchObject({ delivered: false, missing: 2 });
    expect(judge({}, { relays: [], missing: 1 })).toMatchObject({ delivered: false, missing: 1 });
  });

  it('asks nothing of a relay that has lost its last client before it was told', () => {
    const answers = { one: [receipt(9, { listening: 0 }), receipt(20, { listening: 0 })] };
    expect(states(answers, { relays: ['one'], missing: 0 })).toEqual([['one idle'], ['one delivered']]);
  });

  it('counts whoever answers, also where it is not named any more', () => {
    const answers = { one: [receipt(10), undefined], two: [undefined, undefined], gone: [receipt(9), undefined] };
    expect(judge(answers).delivered).toBe(false);
    expect(states(answers)[0]).toEqual(['gone pending', 'one delivered', 'two idle']);
  });
});
