import { beforeEach, describe, expect, it } from 'vitest';
import type { ReceiptQuerier, ReceiptQuery, ReceiptReply } from '../../../services/shared/broker/receipts.ts';
import { AppError } from '../../../services/shared/errors.ts';
import type { Topic } from '../../../services/shared/update/topic.ts';
import { DeliveryReceipts } from '../../../services/webhook/delivery-receipts.ts';
import type { DeliveryStatus } from '../../../services/webhook/delivery-status.ts';
import type { ReadFloors } from '../../../services/webhook/receipt-poll.ts';
import { VirtualTime } from '../../support/virtual-time.ts';

const UPDATES = [{ topic: 'chat' as Topic, version: 10 }];
const CONNECTED = new AbortController().signal;
const DELIVERED: ReceiptReply = [{ version: 10, delivered: 1, subscribed: 1, behind: 0 }];

/** Relays whose replies a test sets, behind a broker that can be unavailable. */
class FakeRelays implements ReceiptQuerier {
  readonly #time: VirtualTime;
  readonly replies = new Map<string, ReceiptReply>();
  readonly sentAtMs: number[] = [];
  readonly storedAtMs: number[] = [];
  calls = 0;
  deleted = 0;
  names: readonly string[] = ['relay'];
  missing = 0;
  unavailable = false;
  /** Duration of a call. */
  delayMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  sendQuery(_query: ReceiptQuery): Promise<void> {
    return this.#call(() => void this.sentAtMs.push(this.#time.nowMs));
  }

  storeQuery(_query: ReceiptQuery): Promise<void> {
    return this.#call(() => void this.storedAtMs.push(this.#time.nowMs));
  }

  readReplies(_query: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>> {
    return this.#call(() => new Map(this.replies));
  }

  membership() {
    return this.#call(() => ({ relays: this.names, missing: this.missing }));
  }

  async deleteQuery(): Promise<void> {
    this.deleted += 1;
  }

  async #call<T>(work: () => T): Promise<T> {
    this.calls += 1;
    if (this.delayMs > 0) await new Promise<void>((resolve) => void this.#time.after(this.delayMs, resolve));
    if (this.unavailable) throw new AppError('broker_unavailable');
    return work();
  }
}

describe('delivery receipts', () => {
  let time: VirtualTime;
  let relays: FakeRelays;
  let receipts: DeliveryReceipts;
  const reports: unknown[][] = [];
  /** Reads the floors; each test may set it. */
  let readFloors: ReadFloors;

  beforeEach(() => {
    time = new VirtualTime();
    relays = new FakeRelays(time);
    reports.length = 0;
    readFloors = () => Promise.reject(new AppError('broker_unavailable'));
    receipts = new DeliveryReceipts({
      querier: relays,
      floors: (...call) => readFloors(...call),
      clock: time.clock(),
      maxCalls: 2,
      report: {
        receiptsQueried: (count) => void reports.push(['queried', count]),
        waitEnded: (outcome, seconds) => void reports.push([outcome, seconds]),
      },
    });
  });

  /** Runs a call to its end. Returns its result, and the time when it resolved. */
  async function settle(
    call: Promise<DeliveryStatus>,
    withinMs: number,
  ): Promise<{ status: DeliveryStatus; atMs: number }> {
    let settled: { status: DeliveryStatus; atMs: number } | undefined;
    void call.then((status) => {
      settled = { status, atMs: time.nowMs };
    });
    await time.runFor(withinMs);
    if (!settled) throw new Error(`not settled within ${withinMs} ms`);
    return settled;
  }

  it('resolve soon after the last reply, with a single query if that is quick', async () => {
    relays.names = ['one', 'two'];
    time.after(1, () => relays.replies.set('one', DELIVERED));
    time.after(5, () => relays.replies.set('two', DELIVERED));
    const { status, atMs } = await settle(receipts.waitUntilDelivered(UPDATES, 5000, CONNECTED), 50);
    expect(status.delivered).toBe(true);
    expect(atMs).toBeLessThanOrEqual(10);
    expect(relays).toMatchObject({ sentAtMs: [0], storedAtMs: [], deleted: 1 });
    expect(reports).toEqual([
      ['queried', 1],
      ['delivered', atMs / 1000],
    ]);
  });

  it('are queried again, at growing intervals and also by the stored query, until the timeout', async () => {
    const { status, atMs } = await settle(receipts.waitUntilDelivered(UPDATES, 5000, CONNECTED), 5000);
    expect(status).toMatchObject({ delivered: false, receipts: [{ relays: [{ relay: 'relay', state: 'silent' }] }] });
    expect(atMs).toBe(5000);
    const { sentAtMs, storedAtMs, calls } = relays;
    expect(sentAtMs.length).toBeGreaterThan(6);
    expect(sentAtMs.length).toBeLessThan(11);
    expect(storedAtMs).toEqual(sentAtMs.slice(1));
    expect(reports.at(-1)).toEqual(['timeout', 5]);
    expect(relays.deleted).toBe(1);
    await time.runFor(10_000);
    expect(relays.calls).toBe(calls); // polling has stopped
  });

  it('keep waiting while the broker is unavailable, and for missing relays', async () => {
    relays.unavailable = true;
    relays.replies.set('relay', DELIVERED);
    time.after(1000, () => {
      relays.unavailable = false;
      relays.missing = 1;
    });
    time.after(2000, () => {
      relays.missing = 0;
    });
    const { status, atMs } = await settle(receipts.waitUntilDelivered(UPDATES, 5000, CONNECTED), 6000);
    expect(status.delivered).toBe(true);
    expect(atMs).toBeGreaterThan(2000);
    expect(atMs).toBeLessThan(3200);
  });

  it('read floors only if a relay has a newer version, until the floor is that of the relay, also after a failure', async () => {
    const calls: unknown[] = [];
    let floors = [0];
    readFloors = async (...call) => {
      calls.push(call);
      if (calls.length === 1) throw new AppError('broker_unavailable');
      return floors;
    };
    relays.names = ['one', 'two', 'idle'];
    relays.replies.set('one', DELIVERED);
    relays.replies.set('idle', [undefined]);
    await time.runFor(100);
    const waiting = settle(receipts.waitUntilDelivered(UPDATES, 5000, CONNECTED), 2000);
    time.after(300, () => {
      expect(calls).toEqual([]);
      relays.replies.set('two', [{ version: 12, delivered: 1, subscribed: 1, behind: 0, floor: 3 }]);
    });
    time.after(1000, () => {
      floors = [3];
    });
    const { status, atMs } = await waiting;
    expect(status.delivered).toBe(true);
    expect(atMs).toBeGreaterThanOrEqual(1100);
    expect(atMs).toBeLessThanOrEqual(1200);
    expect(calls.length).toBeGreaterThan(2);
    expect(calls[0]).toEqual([['chat'], [12]]);
  });

  it('resolve at the timeout, even if the broker does not respond', async () => {
    relays.delayMs = 60_000;
    const { status, atMs } = await settle(receipts.waitUntilDelivered(UPDATES, 300, CONNECTED), 1000);
    expect(status).toMatchObject({ delivered: false, missing: 1, receipts: [{ relays: [] }] });
    expect(atMs).toBe(300);
  });

  it('resolve once all relays have replied, or after a second, if the call does not wait for delivery', async () => {
    relays.replies.set('relay', [{ version: 9, delivered: 1, subscribed: 1, behind: 0 }]);
    const pending = await settle(receipts.query(UPDATES, CONNECTED), 100);
    expect(pending.status).toMatchObject({ delivered: false, receipts: [{ relays: [{ state: 'pending' }] }] });
    expect(pending.atMs).toBeLessThan(10);
    relays.replies.clear();
    const silent = await settle(receipts.query(UPDATES, CONNECTED), 2000);
    expect(silent.status).toMatchObject({ receipts: [{ relays: [{ state: 'silent' }] }] });
    expect(silent.atMs).toBe(1100);
    expect(reports).toEqual([
      ['queried', 1],
      ['queried', 1],
    ]);
  });

  it('resolve when the caller disconnects, and when the webhook stops', async () => {
    const gone = new AbortController();
    time.after(200, () => gone.abort());
    expect((await settle(receipts.waitUntilDelivered(UPDATES, 5000, gone.signal), 300)).atMs).toBe(200);
    expect(reports.at(-1)).toEqual(['aborted', 0.2]);
    time.after(100, () => receipts.close());
    expect((await settle(receipts.waitUntilDelivered(UPDATES, 5000, CONNECTED), 300)).atMs).toBe(400);
    expect((await settle(receipts.waitUntilDelivered(UPDATES, 5000, CONNECTED), 300)).atMs).toBe(600);
    expect(relays.deleted).toBe(3);
  });

  it('are collected for a limited number of calls at a time, including failed ones', async () => {
    const calls = [1, 2].map(() => receipts.withinLimit(() => receipts.waitUntilDelivered(UPDATES, 500, CONNECTED)));
    const started: string[] = [];
    await expect(receipts.withinLimit(async () => started.push('work'))).rejects.toMatchObject({
      code: 'too_many_waiting',
    });
    expect(started).toEqual([]);
    await time.runFor(1000);
    await Promise.all(calls);
    for (let n = 0; n < 5; n += 1) {
      await expect(receipts.withinLimit(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    }
    await receipts.withinLimit(async () => started.push('work'));
    expect(started).toEqual(['work']);
  });
});
