import { beforeEach, describe, expect, it } from 'vitest';
import type { ReceiptQuerier, ReceiptQuery, ReceiptReply } from '../../../services/shared/broker/receipts.ts';
import { AppError } from '../../../services/shared/errors.ts';
import type { Topic } from '../../../services/shared/update/topic.ts';
import type { Delivery } from '../../../services/webhook/delivery.ts';
import { ReceiptDesk } from '../../../services/webhook/receipt-desk.ts';
import { VirtualTime } from '../../support/virtual-time.ts';

const UPDATES = [{ topic: 'chat' as Topic, version: 10 }];
const NOBODY_GONE = new AbortController().signal;
const DELIVERED: ReceiptReply = [{ version: 10, told: 1, listening: 1, behind: 0 }];

/** Relays that answer as a test says, and a broker that can be away. */
class FakeReceipts implements ReceiptQuerier {
  readonly #time: VirtualTime;
  readonly answered = new Map<string, ReceiptReply>();
  readonly askedAtMs: number[] = [];
  readonly insistedAtMs: number[] = [];
  forgotten = 0;
  names: readonly string[] = ['relay'];
  missing = 0;
  away = false;
  /** How long a call takes. */
  delayMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  sendQuery(_question: ReceiptQuery): Promise<void> {
    return this.#call(() => void this.askedAtMs.push(this.#time.nowMs));
  }

  storeQuery(_question: ReceiptQuery): Promise<void> {
    return this.#call(() => void this.insistedAtMs.push(this.#time.nowMs));
  }

  readReplies(_question: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>> {
    return this.#call(() => new Map(this.answered));
  }

  membership() {
    return this.#call(() => ({ relays: this.names, missing: this.missing }));
  }

  async deleteQuery(): Promise<void> {
    this.forgotten += 1;
  }

  async #call<T>(work: () => T): Promise<T> {
    if (this.delayMs > 0) await new Promise<void>((resolve) => void this.#time.after(this.delayMs, resolve));
    if (this.away) throw new AppError('broker_unavailable');
    return work();
  }
}

describe('a receipt desk', () => {
  let time: VirtualTime;
  let receipts: FakeReceipts;
  let desk: ReceiptDesk;
  const reports: unknown[][] = [];

  beforeEach(() => {
    time = new VirtualTime();
    receipts = new FakeReceipts(time);
    reports.length = 0;
    desk = new ReceiptDesk({
      receipts,
      clock: time.clock(),
      maxWaiting: 2,
      report: {
        receiptsAsked: (count) => void reports.push(['asked', count]),
        waited: (outcome, seconds) => void reports.push([outcome, seconds]),
      },
    });
  });

  /** Runs a call to its end; answers what it resolved with, and when. */
  async function settle(call: Promise<Delivery>, withinMs: number): Promise<{ delivery: Delivery; atMs: number }> {
    let settled: { delivery: Delivery; atMs: number } | undefined;
    void call.then((delivery) => {
      settled = { delivery, atMs: time.nowMs };
    });
    await time.runFor(withinMs);
    if (!settled) throw new Error(`not settled within ${withinMs} ms`);
    return settled;
  }

  it('answers soon after the last relay has, and asks once where that is quick', async () => {
    receipts.names = ['one', 'two'];
    time.after(1, () => receipts.answered.set('one', DELIVERED));
    time.after(5, () => receipts.answered.set('two', DELIVERED));
    const { delivery, atMs } = await settle(desk.wait(UPDATES, 5000, NOBODY_GONE), 50);
    expect(delivery.delivered).toBe(true);
    expect(atMs).toBeLessThanOrEqual(10);
    expect(receipts).toMatchObject({ askedAtMs: [0], insistedAtMs: [], forgotten: 1 });
    expect(reports).toEqual([
      ['asked', 1],
      ['delivered', atMs / 1000],
    ]);
  });

  it('asks again, ever more seldom, and insists, until the time is up', async () => {
    const { delivery, atMs } = await settle(desk.wait(UPDATES, 5000, NOBODY_GONE), 6000);
    expect(delivery).toMatchObject({ delivered: false, receipts: [{ relays: [{ relay: 'relay', state: 'silent' }] }] });
    expect(atMs).toBe(5000);
    const { askedAtMs, insistedAtMs } = receipts;
    expect(askedAtMs.length).toBeGreaterThan(6);
    expect(askedAtMs.length).toBeLessThan(11);
    expect(insistedAtMs).toEqual(askedAtMs.slice(1));
    expect(reports.at(-1)).toEqual(['timeout', 5]);
    expect(receipts.forgotten).toBe(1);
    await time.runFor(10_000);
    expect(receipts.askedAtMs).toHaveLength(askedAtMs.length); // nobody asks for nobody
  });

  it('waits on while the broker is away, and for relays that are missing', async () => {
    receipts.away = true;
    receipts.answered.set('relay', DELIVERED);
    time.after(1000, () => {
      receipts.away = false;
      receipts.missing = 1;
    });
    time.after(2000, () => {
      receipts.missing = 0;
    });
    const { delivery, atMs } = await settle(desk.wait(UPDATES, 5000, NOBODY_GONE), 6000);
    expect(delivery.delivered).toBe(true);
    expect(atMs).toBeGreaterThan(2000);
    expect(atMs).toBeLessThan(3200);
  });

  it('says in time that not all have, also where the broker does not answer', async () => {
    receipts.delayMs = 60_000;
    const { delivery, atMs } = await settle(desk.wait(UPDATES, 300, NOBODY_GONE), 1000);
    expect(delivery).toMatchObject({ delivered: false, missing: 1, receipts: [{ relays: [] }] });
    expect(atMs).toBe(300);
  });

  it('looks until all have answered, whatever that is, and no longer than a second', async () => {
    receipts.answered.set('relay', [{ version: 9, told: 1, listening: 1, behind: 0 }]);
    const pending = await settle(desk.look(UPDATES, NOBODY_GONE), 100);
    expect(pending.delivery).toMatchObject({ delivered: false, receipts: [{ relays: [{ state: 'pending' }] }] });
    expect(pending.atMs).toBeLessThan(10);
    receipts.answered.clear();
    const silent = await settle(desk.look(UPDATES, NOBODY_GONE), 2000);
    expect(silent.delivery).toMatchObject({ receipts: [{ relays: [{ state: 'silent' }] }] });
    expect(silent.atMs).toBe(1100);
    expect(reports).toEqual([
      ['asked', 1],
      ['asked', 1],
    ]);
  });

  it('stops where the caller has gone, and where the desk is closed', async () => {
    const gone = new AbortController();
    time.after(200, () => gone.abort());
    expect((await settle(desk.wait(UPDATES, 5000, gone.signal), 300)).atMs).toBe(200);
    expect(reports.at(-1)).toEqual(['aborted', 0.2]);
    time.after(100, () => desk.close());
    expect((await settle(desk.wait(UPDATES, 5000, NOBODY_GONE), 300)).atMs).toBe(400);
    expect((await settle(desk.wait(UPDATES, 5000, NOBODY_GONE), 300)).atMs).toBe(600);
    expect(receipts.forgotten).toBe(3);
  });

  it('has so many places, and each again when its call has ended, however that was', async () => {
    const calls = [1, 2].map(() => desk.withPlace(() => desk.wait(UPDATES, 500, NOBODY_GONE)));
    const begun: string[] = [];
    await expect(desk.withPlace(async () => begun.push('work'))).rejects.toMatchObject({ code: 'too_many_waiting' });
    expect(begun).toEqual([]);
    await time.runFor(1000);
    await Promise.all(calls);
    for (let n = 0; n < 5; n += 1) {
      await expect(desk.withPlace(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    }
    await desk.withPlace(async () => begun.push('work'));
    expect(begun).toEqual(['work']);
  });
});
