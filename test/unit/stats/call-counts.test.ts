import { describe, expect, it } from 'vitest';
import { CallCounts } from '../../../services/stats/recorder/call-counts.ts';
import { bucketOf, quantile, upperBoundMs } from '../../../services/stats/recorder/call-histogram.ts';
import type { CallCount } from '../../../services/stats/store/records.ts';
import { sumCalls } from '../../../services/stats/view/calls.ts';

const call = { name: 'POST /webhook', ms: 1, failed: false };
const count = (counts: CallCounts, { name, ms, failed }: typeof call) =>
  counts.count('webhook', name, 'server', ms, failed);

describe('a histogram of calls', () => {
  it('is accurate to 10 %, from a microsecond to an hour', () => {
    for (const ms of [0.002, 0.05, 1, 7.7, 123, 4567, 3_600_000]) {
      const upperMs = upperBoundMs(bucketOf(ms));
      expect(upperMs).toBeGreaterThanOrEqual(ms * 0.999);
      expect(upperMs).toBeLessThan(ms * 1.1);
    }
    expect(bucketOf(0)).toBe(0);
    expect(bucketOf(Number.NaN)).toBe(0);
    expect(bucketOf(1e30)).toBe(256);
  });

  it('returns quantiles', () => {
    const buckets = { [bucketOf(1)]: 98, [bucketOf(10)]: 1, [bucketOf(1000)]: 1 };
    expect(quantile(buckets, 0.5)).toBeCloseTo(1, 0);
    expect(quantile(buckets, 0.99)).toBeCloseTo(10, -1);
    expect(quantile(buckets, 1)).toBeGreaterThanOrEqual(1000);
    expect(quantile({}, 0.99)).toBe(0);
  });
});

describe('the calls of a process', () => {
  it('are counted by minute, and a minute that has ended is returned once', () => {
    let nowMs = 60_000;
    const counts = new CallCounts({ nowMs: () => nowMs });
    expect(counts.take().size).toBe(0);
    count(counts, call);
    count(counts, { ...call, ms: 3, failed: true });
    const [taken] = JSON.parse(counts.take().get(1) ?? '') as CallCount[];
    expect(taken).toMatchObject({
      ...{ service: 'webhook', name: 'POST /webhook', kind: 'server' },
      count: 2,
      errors: 1,
    });
    expect(taken).toMatchObject({ sumMs: 4, maxMs: 3 });
    count(counts, call);
    nowMs = 120_000;
    count(counts, call);
    const later = counts.take();
    expect([...later.keys()]).toEqual([1, 2]);
    expect(JSON.parse(later.get(1) ?? '')[0].count).toBe(3);
    expect([...counts.take().keys()]).toEqual([2]);
  });

  it('are counted by the code with which they were refused', () => {
    const counts = new CallCounts({ nowMs: () => 0 });
    const refuse = (code: string) => counts.count('webhook', 'POST /webhook', 'server', 1, false, code);
    for (const code of ['401 unauthorized', '429 rate_limited', '401 unauthorized']) refuse(code);
    count(counts, call);
    const [taken] = JSON.parse(counts.take().get(0) ?? '') as CallCount[];
    expect(taken).toMatchObject({ count: 4, errors: 0, refusals: { '401 unauthorized': 2, '429 rate_limited': 1 } });
    for (let n = 0; n < 10_000; n += 1) refuse(`400 code ${n}`);
    const [bounded] = JSON.parse(counts.take().get(0) ?? '') as CallCount[];
    expect(Object.keys(bounded?.refusals ?? {})).toHaveLength(50);
  });

  it('take bounded memory, whatever their names', () => {
    const counts = new CallCounts({ nowMs: () => 0 });
    for (let n = 0; n < 10_000; n += 1) count(counts, { ...call, name: `call ${n}` });
    const taken = JSON.parse(counts.take().get(0) ?? '') as CallCount[];
    expect(taken.length).toBeLessThan(250);
    expect(taken.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
  });

  it('take bounded memory if they are never taken', () => {
    let nowMs = 0;
    const counts = new CallCounts({ nowMs: () => nowMs });
    for (; nowMs < 3_600_000; nowMs += 60_000) count(counts, call);
    expect(counts.take().size).toBeLessThan(5);
  });

  it('are summed over processes and minutes', () => {
    const counted = {
      ...{ service: 's', name: 'n', kind: 'client' as const },
      errors: 1,
      refusals: { '401 unauthorized': 1 },
      sumMs: 10,
      maxMs: 8,
    };
    const minutes = [
      { minute: 100, calls: [{ ...counted, count: 2, buckets: { 80: 2 } }] },
      {
        minute: 102,
        calls: [
          { ...counted, count: 1, buckets: { 90: 1 } },
          { ...counted, name: 'rare', count: 1, buckets: {} },
        ],
      },
      { minute: 102, calls: [{ ...counted, count: 5, buckets: { 80: 5 } }] },
    ];
    const [row, rare] = sumCalls(minutes);
    expect(row).toMatchObject({ name: 'n', count: 8, errors: 3, refused: 3, refusals: { '401 unauthorized': 3 } });
    expect(row).toMatchObject({ meanMs: 30 / 8, maxMs: 8 });
    expect(row?.p99Ms).toBeLessThanOrEqual(8);
    expect(row?.perMinute.slice(-3)).toEqual([2, 0, 6]);
    expect(rare?.name).toBe('rare');
    expect(sumCalls([])).toEqual([]);
  });
});
