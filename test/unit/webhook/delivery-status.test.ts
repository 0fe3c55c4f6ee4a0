import { describe, expect, it } from 'vitest';
import type { DeliveryReceipt, ReceiptReply } from '../../../services/shared/broker/receipts.ts';
import type { Topic } from '../../../services/shared/update/topic.ts';
import { deliveryStatus, needsFloors } from '../../../services/webhook/delivery-status.ts';

const UPDATES = [
  { topic: 'a' as Topic, version: 10 },
  { topic: 'b' as Topic, version: 20 },
];
const ALL_REGISTERED = { relays: ['one', 'two'], missing: 0 };
const receipt = (version: number, counts: Partial<DeliveryReceipt> = {}): DeliveryReceipt => ({
  version,
  delivered: 2,
  subscribed: 2,
  behind: 0,
  ...counts,
});
const statusOf = (answers: Record<string, ReceiptReply>, membership = ALL_REGISTERED, floors: readonly number[] = []) =>
  deliveryStatus(UPDATES, membership, new Map(Object.entries(answers)), floors);
const states = (answers: Record<string, ReceiptReply>, membership = ALL_REGISTERED) =>
  statusOf(answers, membership).receipts.map(({ relays }) => relays.map(({ relay, state }) => `${relay} ${state}`));

describe('deliveryStatus', () => {
  it('is delivered once every relay has delivered the update or a newer one, or has no subscriber', () => {
    const answers = { one: [receipt(10), undefined], two: [receipt(11), receipt(20, { delivered: 0 })] };
    const delivery = statusOf(answers);
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

  it('is pending if a relay has delivered an older version, or none', () => {
    const answers = { one: [receipt(9), receipt(20)], two: [receipt(10), receipt(0)] };
    expect(statusOf(answers)).toMatchObject({
      delivered: false,
      receipts: [{ delivered: false }, { delivered: false }],
    });
    expect(states(answers)).toEqual([
      ['one pending', 'two delivered'],
      ['one delivered', 'two pending'],
    ]);
  });

  it('is not delivered if a registered relay does not reply', () => {
    expect(states({ two: [receipt(10), receipt(20)] })).toEqual([
      ['one silent', 'two delivered'],
      ['one silent', 'two delivered'],
    ]);
    expect(statusOf({ two: [receipt(10), receipt(20)] }).delivered).toBe(false);
  });

  it('is not delivered if relays are missing, and gives their number', () => {
    const answers = { one: [receipt(10), receipt(20)] };
    expect(statusOf(answers, { relays: ['one'], missing: 2 })).toMatchObject({ delivered: false, missing: 2 });
    expect(statusOf({}, { relays: [], missing: 1 })).toMatchObject({ delivered: false, missing: 1 });
  });

  it('is pending on a relay whose last subscriber has left while it has an older version for the next one', () => {
    const none = { delivered: 0, subscribed: 0 };
    const answers = { one: [receipt(9, none), receipt(20, none)] };
    expect(states(answers, { relays: ['one'], missing: 0 })).toEqual([['one pending'], ['one idle']]);
  });

  it('counts a relay that replies, even if it is not registered any more', () => {
    const answers = { one: [receipt(10), undefined], two: [undefined, undefined], gone: [receipt(9), undefined] };
    expect(statusOf(answers).delivered).toBe(false);
    expect(states(answers)[0]).toEqual(['gone pending', 'one delivered', 'two idle']);
  });

  it('is pending on a relay with a newer version until that includes the update: broker and relay have the same floor, and clients too', () => {
    const stateOf = (own: DeliveryReceipt, floors: readonly number[]) =>
      statusOf({ one: [own, undefined], two: [undefined, undefined] }, ALL_REGISTERED, floors).receipts[0]?.relays[0]
        ?.state;
    const newer = receipt(11, { floor: 5 });
    expect(stateOf(newer, [])).toBe('pending');
    expect(stateOf(newer, [6, 5])).toBe('pending');
    expect(stateOf(newer, [5, 6])).toBe('delivered');
    expect(stateOf(receipt(11, { floor: 11 }), [11, 5])).toBe('delivered');
    expect(stateOf(receipt(11, { floor: 12 }), [12, 5])).toBe('pending'); // clients are not notified of the floor yet
    expect(stateOf(receipt(10, { floor: 5 }), [6, 5])).toBe('delivered'); // it is the update itself
  });
});

describe('floors', () => {
  const needs = (answers: Record<string, ReceiptReply>, floors: readonly number[]) =>
    needsFloors(UPDATES, new Map(Object.entries(answers)), floors);

  it('are needed for a newer version of a relay whose floor is not the one that was read', () => {
    const answers = {
      one: [receipt(10, { floor: 5 }), undefined],
      two: [receipt(9, { floor: 6 }), receipt(21, { floor: 6 })],
    };
    expect(needs(answers, [])).toBe(true);
    expect(needs(answers, [6, 5])).toBe(true);
    expect(needs(answers, [5, 6])).toBe(false);
  });

  it('are not needed for the updates themselves, or older versions, nor for a relay that names no floor', () => {
    expect(
      needs({ one: [receipt(10, { floor: 5 }), receipt(19, { floor: 5 })], two: [receipt(11), undefined] }, []),
    ).toBe(false);
  });
});
