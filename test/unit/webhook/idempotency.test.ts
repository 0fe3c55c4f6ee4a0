import { describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../../services/shared/broker/memory-broker.ts';
import { createLogger } from '../../../services/shared/logger.ts';
import { createIdempotency } from '../../../services/webhook/idempotency.ts';
import { VirtualTime } from '../../support/virtual-time.ts';

const CALL = { credentialId: 'publisher', webhookId: 'msg_1', body: Buffer.from('{}') };

/** Creates two webhooks that share a store, on a virtual clock. */
function createWebhooks() {
  const time = new VirtualTime(1_790_000_000_000);
  const clock = time.clock(() => 0.5);
  const store = new MemoryBroker({ nowMs: () => time.nowMs });
  const logger = createLogger({ name: 'webhook', level: 'silent' });
  return { time, one: createIdempotency({ store, logger, clock }), two: createIdempotency({ store, logger, clock }) };
}

/** Work that ends when the test says so. */
function createWork() {
  let runs = 0;
  const ends: { resolve(value: string): void; reject(error: Error): void }[] = [];
  const work = () => {
    runs += 1;
    return new Promise<string>((resolve, reject) => ends.push({ resolve, reject }));
  };
  return { work, ends, runs: () => runs };
}

describe('two calls with the same webhook-id at two webhooks', () => {
  it('do the work once: the second one waits for the response of the first', async () => {
    const { time, one, two } = createWebhooks();
    const { work, ends, runs } = createWork();
    const calls = [one(CALL, work), two(CALL, work)];
    await time.runFor(500);
    expect(runs()).toBe(1);
    ends[0]?.resolve('published');
    await time.runFor(500);
    expect(await Promise.all(calls)).toEqual([
      { result: 'published', repeated: false },
      { result: 'published', repeated: true },
    ]);
  });

  it('do the work again if the first one fails', async () => {
    const { time, one, two } = createWebhooks();
    const { work, ends, runs } = createWork();
    const first = expect(one(CALL, work)).rejects.toThrow('gone');
    const second = two(CALL, work);
    await time.runFor(100);
    ends[0]?.reject(new Error('gone'));
    await first;
    await time.runFor(500);
    expect(runs()).toBe(2);
    ends[1]?.resolve('published');
    expect(await second).toEqual({ result: 'published', repeated: false });
  });

  it('reject the second one, to be repeated, if the first has no response in time; and a later one works again', async () => {
    const { time, one, two } = createWebhooks();
    const { work, ends } = createWork();
    void one(CALL, work); // its webhook is killed
    const second = expect(two(CALL, work)).rejects.toMatchObject({ code: 'call_in_progress', status: 503 });
    await time.runFor(3000);
    await second;
    await time.runFor(2000);
    const third = two(CALL, work);
    await time.runFor(100);
    ends[1]?.resolve('published');
    expect(await third).toEqual({ result: 'published', repeated: false });
  });

  it('reject another body at once, while the first call is in progress', async () => {
    const { time, one, two } = createWebhooks();
    const { work } = createWork();
    void one(CALL, work);
    await time.runFor(100);
    const other = two({ ...CALL, body: Buffer.from('{"other":1}') }, work);
    await expect(other).rejects.toMatchObject({ code: 'webhook_id_reused' });
  });
});
