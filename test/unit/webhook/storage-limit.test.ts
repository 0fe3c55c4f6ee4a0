import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parseTopic } from '../../../services/shared/update/topic.ts';
import { createTokenCredential } from '../../../services/webhook/credential.ts';
import { createStorageLimit } from '../../../services/webhook/storage-limit.ts';

const MAX_BYTES = 10_000;
const [DATA_TTL_MS, REGISTER_TTL_MS, RESPONSE_TTL_MS] = [3000, 9000, 1000];

function createLimit() {
  const time = { nowMs: 0 };
  const limit = createStorageLimit({
    maxBytes: MAX_BYTES,
    dataTtlMs: DATA_TTL_MS,
    registerTtlMs: REGISTER_TTL_MS,
    responseTtlMs: RESPONSE_TTL_MS,
    nowMs: () => time.nowMs,
    report: { callLimited() {} },
  });
  const credential = createTokenCredential('a-token-of-the-tests');
  let calls = 0;
  /** Returns how many calls are admitted until the limit refuses one. */
  const fill = (call: (n: number) => { topic?: string; dataBytes?: number; webhookId?: string }): number => {
    for (let n = 0; n < MAX_BYTES; n += 1) {
      const { topic = 'topic', dataBytes = 0, webhookId } = call(calls++);
      try {
        limit.store(credential, { topics: [parseTopic(topic)], dataBytes: [dataBytes], webhookId });
      } catch (error) {
        expect(error).toMatchObject({ code: 'rate_limited' });
        return n;
      }
    }
    return Number.POSITIVE_INFINITY;
  };
  return { fill, time };
}

describe('the storage limit', () => {
  it.each([
    ['registers', (n: number) => ({ topic: `topic/${n}` }), REGISTER_TTL_MS],
    ['data', (n: number) => ({ topic: `${n}`, dataBytes: 4000 }), DATA_TTL_MS],
    ['responses', (n: number) => ({ webhookId: `${n}` }), RESPONSE_TTL_MS],
  ])('counts %s until they expire', (_, call, ttlMs) => {
    const { fill, time } = createLimit();
    const admitted = fill(call);
    expect(admitted).toBeGreaterThan(1);
    time.nowMs = ttlMs - 1;
    expect(fill(call)).toBe(0);
    time.nowMs = ttlMs;
    expect(fill(call)).toBeGreaterThan(0);
  });

  it('does not count what replaces something of the same size', () => {
    const { fill } = createLimit();
    expect(fill(() => ({ dataBytes: 4000, webhookId: 'the same' }))).toBe(Number.POSITIVE_INFINITY);
  });

  it('needs no memory for the length of a `webhook-id`', () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const { fill } = createLimit();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const bytes = 4 * 1024 * 1024;
    const admitted = fill((n) => ({ webhookId: `${n}`.padEnd(bytes, 'x') }));
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan((admitted * bytes) / 4);
    expect(fill((n) => ({ webhookId: `${n}` }))).toBe(0);
  });
});
