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
  const log: string[] = [];
  const destination = { write: (line: string) => void log.push(line) };
  const logger = createLogger({ name: 'webhook', level: 'info', destination });
  const [one, two] = [createIdempotency({ store, logger, clock }), createIdempotency({ store, logger, clock })];
  return { time, store, log, one, two };
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

  it('have the response within 200 ms of each other, however long the work took', async () => {
    const { time, one, two } = createWebhooks();
    const { work, ends } = createWork();
    void one(CALL, work);
    const second = two(CALL, work).then(() => time.nowMs);
    await time.runFor(1000);
    const endMs = time.nowMs;
    ends[0]?.resolve('published');
    await time.runFor(1000);
    expect((await second) - endMs).toBeLessThanOrEqual(200);
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
    const startMs = time.nowMs;
    const second = two(CALL, work).catch((error: unknown) => ({ error, waitedMs: time.nowMs - startMs }));
    await time.runFor(3000);
    const { error, waitedMs } = (await second) as { error: unknown; waitedMs: number };
    expect(error).toMatchObject({ code: 'call_in_progress', status: 503 });
    expect(waitedMs).toBeGreaterThan(1000);
    expect(waitedMs).toBeLessThanOrEqual(2000);
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

  it('both do the work if the response of the first cannot be stored, and the log says so', async () => {
    const { time, store, log, one, two } = createWebhooks();
    store.storeResponse = () => Promise.reject(new Error('out of memory'));
    const { work, ends } = createWork();
    const first = one(CALL, work);
    await time.runFor(100);
    ends[0]?.resolve('published');
    expect(await first).toEqual({ result: 'published', repeated: false });
    expect(log.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'failed to store the response for repeated calls', err: { message: 'out of memory' } },
    ]);
    await time.runFor(60_000);
    const second = two(CALL, work);
    await time.runFor(100);
    ends[1]?.resolve('published again');
    expect(await second).toEqual({ result: 'published again', repeated: false });
  });
});

describe('calls at one webhook', () => {
  it('with the same webhook-id share the result as soon as it exists, and another body is rejected at once', async () => {
    const { time, one } = createWebhooks();
    const { work, ends, runs } = createWork();
    const results: unknown[] = [];
    for (const n of [0, 1]) {
      void one(CALL, work).then((result) => {
        results[n] = result;
      });
    }
    const other = one({ ...CALL, body: Buffer.from('{"other":1}') }, work);
    await expect(other).rejects.toMatchObject({ code: 'webhook_id_reused' });
    await time.runFor(100);
    ends[0]?.resolve('published');
    await time.runFor(1);
    expect(runs()).toBe(1);
    expect(results).toEqual([
      { result: 'published', repeated: false },
      { result: 'published', repeated: true },
    ]);
  });

  it('with another webhook-id or credential, or without a webhook-id, all do their work', async () => {
    const { time, one } = createWebhooks();
    const { work, ends, runs } = createWork();
    const anonymous = { ...CALL, webhookId: undefined };
    const calls = [CALL, { ...CALL, webhookId: 'msg_2' }, { ...CALL, credentialId: 'other' }, anonymous, anonymous];
    const results = Promise.all(calls.map((call) => one(call, work)));
    await time.runFor(1);
    expect(runs()).toBe(calls.length);
    for (const end of ends) end.resolve('published');
    expect(await results).toEqual(calls.map(() => ({ result: 'published', repeated: false })));
  });
});
