import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PublishError, Publisher } from '../../../../services/client/publisher.ts';
import { Publishing } from '../../../../services/loadtest/run/scheduled-publisher.ts';
import { preciseNowMs } from '../../../../services/loadtest/timing/precise-now.ts';

type Call = { topic: string; atMs: number; data: { dueMs: number; sequence: number; padding?: string } };

describe('the publishing of a load test', () => {
  const never = new AbortController().signal;
  let calls: Call[];
  let answer: (n: number) => Promise<number>;
  let retrying: (error: PublishError) => void;
  let startMs: number;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    calls = [];
    answer = async (n) => n + 1;
    startMs = preciseNowMs() + 100;
  });
  afterEach(() => void vi.useRealTimers());

  function create(
    more: { count?: number; intervalMs?: number; topics?: number; payloadBytes?: number } = {},
  ): Publishing {
    const { count = 5, intervalMs = 100, topics = 1, payloadBytes = 0 } = more;
    const publish = async (topic: string, body: { data: Call['data'] }) => {
      calls.push({ topic, atMs: preciseNowMs(), data: body.data });
      return [{ topic, version: await answer(calls.length - 1) }];
    };
    return new Publishing({
      publisher(told) {
        retrying = told;
        return { publish } as unknown as Publisher;
      },
      choice: { topics, topicsPerClient: 1, spread: 'even', prefix: 't' },
      payloadBytes,
      schedule: { startMs, intervalMs },
      count,
    });
  }

  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

  it('goes on at the due times while the webhook does not answer, and counts from then', async () => {
    answer = async (n) => {
      await wait(n === 0 ? 5000 : 10);
      return n + 1;
    };
    const publishing = create({ count: 20 });
    const done = publishing.run(never);
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect(calls.map(({ atMs }) => Math.round(atMs - startMs))).toEqual(Array.from({ length: 20 }, (_, n) => n * 100));
    expect(publishing.answers.summary()).toMatchObject({
      count: 20,
      p50: expect.closeTo(10, 0),
      max: expect.closeTo(5000, -1),
    });
  });

  it('catches up with what was due while it could not run, and counts that as late', async () => {
    const publishing = create({ count: 10 });
    const done = publishing.run(never);
    const realNow = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => realNow() + 700); // this process was stopped for a while
    await vi.advanceTimersByTimeAsync(2000);
    await done;
    expect(calls).toHaveLength(10);
    expect(calls.map(({ data }) => data.dueMs - startMs)).toEqual(
      Array.from({ length: 10 }, (_, n) => expect.closeTo(n * 100, 3)),
    );
    expect(publishing.answers.maxMs).toBeGreaterThan(300);
    vi.restoreAllMocks();
  });

  it('takes topics in turn, counts the updates of each, and pads them', async () => {
    const publishing = create({ count: 5, topics: 2, payloadBytes: 3 });
    const done = publishing.run(never);
    await vi.advanceTimersByTimeAsync(1000);
    await done;
    expect(calls.map(({ topic, data }) => [topic, data.sequence])).toEqual([
      ['t0', 1],
      ['t1', 1],
      ['t0', 2],
      ['t1', 2],
      ['t0', 3],
    ]);
    expect(calls[0]?.data.padding).toBe('xxx');
    expect(publishing.last.versions).toEqual([5, 4]);
    expect(publishing.last.dueMs.map((ms) => Math.round(ms - startMs))).toEqual([400, 300]);
  });

  it('knows the newest version of each topic, in whatever order the answers come', async () => {
    answer = async (n) => {
      await wait(n === 0 ? 500 : 1);
      return n + 1;
    };
    const publishing = create({ count: 2 });
    const done = publishing.run(never);
    await vi.advanceTimersByTimeAsync(2000);
    await done;
    expect(publishing.last.versions).toEqual([2]);
  });

  it('counts what was refused by its reason, and what was called again', async () => {
    answer = async (n) => {
      if (n < 3) retrying(new Error('the webhook answered 503 broker_unavailable') as PublishError);
      if (n === 1) throw new Error('the webhook answered 401 unauthorized');
      return n + 1;
    };
    const publishing = create({ count: 4 });
    const done = publishing.run(never);
    await vi.advanceTimersByTimeAsync(1000);
    await done;
    expect(publishing.figures).toEqual({
      due: 4,
      accepted: 3,
      failed: { 'the webhook answered 401 unauthorized': 1 },
      repeated: { 'the webhook answered 503 broker_unavailable': 3 },
    });
  });

  it('ends at the signal, also while a call hangs', async () => {
    answer = () => new Promise(() => {});
    const ending = new AbortController();
    const publishing = create({ count: 100 });
    const done = publishing.run(ending.signal);
    await vi.advanceTimersByTimeAsync(450);
    ending.abort();
    await done;
    expect(publishing.figures).toMatchObject({ due: 4, accepted: 0, failed: {} });
  });

  it('took until the last client was told, or until the next update would have been due', async () => {
    const publishing = create({ count: 5 });
    const done = publishing.run(never);
    await vi.advanceTimersByTimeAsync(1000);
    await done;
    expect([undefined, 20, 2000].map((toldMs) => publishing.tookS(toldMs))).toEqual([0.5, 0.5, 2.4]);
  });
});
