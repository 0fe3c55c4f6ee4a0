import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PublishError, Publisher } from '../../../../services/client/publisher.ts';
import { ScheduledPublisher } from '../../../../services/loadtest/run/scheduled-publisher.ts';
import { preciseNowMs } from '../../../../services/loadtest/timing/precise-now.ts';

type Call = { topic: string; atMs: number; data: { dueMs: number; sequence: number; padding?: string } };

describe('the scheduled publisher', () => {
  const never = new AbortController().signal;
  let calls: Call[];
  let respond: (n: number) => Promise<number>;
  let retrying: (error: PublishError) => void;
  let startMs: number;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    calls = [];
    respond = async (n) => n + 1;
    startMs = preciseNowMs() + 100;
  });
  afterEach(() => void vi.useRealTimers());

  function create(
    more: { count?: number; intervalMs?: number; topics?: number; payloadBytes?: number } = {},
  ): ScheduledPublisher {
    const { count = 5, intervalMs = 100, topics = 1, payloadBytes = 0 } = more;
    const publish = async (topic: string, body: { data: Call['data'] }) => {
      calls.push({ topic, atMs: preciseNowMs(), data: body.data });
      return [{ topic, version: await respond(calls.length - 1) }];
    };
    return new ScheduledPublisher({
      publisher(onRetry) {
        retrying = onRetry;
        return { publish } as unknown as Publisher;
      },
      assignment: { topics, topicsPerClient: 1, spread: 'even', prefix: 't' },
      payloadBytes,
      schedule: { startMs, intervalMs },
      count,
    });
  }

  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

  it('keeps to the due times while the webhook is slow, and measures from them', async () => {
    respond = async (n) => {
      await wait(n === 0 ? 5000 : 10);
      return n + 1;
    };
    const publisher = create({ count: 20 });
    const done = publisher.run(never);
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect(calls.map(({ atMs }) => Math.round(atMs - startMs))).toEqual(Array.from({ length: 20 }, (_, n) => n * 100));
    expect(publisher.responseLatency.summary()).toMatchObject({
      count: 20,
      p50: expect.closeTo(10, 0),
      max: expect.closeTo(5000, -1),
    });
  });

  it('publishes overdue updates late, and measures the delay', async () => {
    const publisher = create({ count: 10 });
    const done = publisher.run(never);
    const realNow = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => realNow() + 700); // as after a pause of the process
    await vi.advanceTimersByTimeAsync(2000);
    await done;
    expect(calls).toHaveLength(10);
    expect(calls.map(({ data }) => data.dueMs - startMs)).toEqual(
      Array.from({ length: 10 }, (_, n) => expect.closeTo(n * 100, 3)),
    );
    expect(publisher.responseLatency.maxMs).toBeGreaterThan(300);
    vi.restoreAllMocks();
  });

  it('publishes to the topics in turn, with sequence numbers and padding', async () => {
    const publisher = create({ count: 5, topics: 2, payloadBytes: 3 });
    const done = publisher.run(never);
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
    expect(publisher.last.versions).toEqual([5, 4]);
    expect(publisher.last.dueMs.map((ms) => Math.round(ms - startMs))).toEqual([400, 300]);
  });

  it('knows the newest version of each topic, in any order of responses', async () => {
    respond = async (n) => {
      await wait(n === 0 ? 500 : 1);
      return n + 1;
    };
    const publisher = create({ count: 2 });
    const done = publisher.run(never);
    await vi.advanceTimersByTimeAsync(2000);
    await done;
    expect(publisher.last.versions).toEqual([2]);
  });

  it('counts failures and retries by reason', async () => {
    respond = async (n) => {
      if (n < 3) retrying(new Error('the webhook answered 503 broker_unavailable') as PublishError);
      if (n === 1) throw new Error('the webhook answered 401 unauthorized');
      return n + 1;
    };
    const publisher = create({ count: 4 });
    const done = publisher.run(never);
    await vi.advanceTimersByTimeAsync(1000);
    await done;
    expect(publisher.figures).toEqual({
      due: 4,
      accepted: 3,
      failed: { 'the webhook answered 401 unauthorized': 1 },
      retried: { 'the webhook answered 503 broker_unavailable': 3 },
    });
  });

  it('ends at the signal, also while a call is pending', async () => {
    respond = () => new Promise(() => {});
    const ending = new AbortController();
    const publisher = create({ count: 100 });
    const done = publisher.run(ending.signal);
    await vi.advanceTimersByTimeAsync(450);
    ending.abort();
    await done;
    expect(publisher.figures).toMatchObject({ due: 4, accepted: 0, failed: {} });
  });

  it('knows when versions were assigned by its own clock, however far the clock of the cluster is ahead', async () => {
    const aheadMs = 3_600_000;
    respond = async (n) => {
      await wait(n % 2 === 0 ? 40 : 1);
      const version = (preciseNowMs() + aheadMs) * 1000;
      await wait(n % 2 === 0 ? 1 : 40);
      return version;
    };
    const publisher = create({ count: 4 });
    const done = publisher.run(never);
    await vi.advanceTimersByTimeAsync(1000);
    await done;
    for (const [n, ms] of [40, 1, 40, 1].entries()) expect(publisher.assignedAfterMs(n)).toBeCloseTo(ms, 0);
    expect(publisher.assignedAfterMs(4)).toBeUndefined();
  });

  it('lasts until the last client was notified, or until the next update would have been due', async () => {
    const publisher = create({ count: 5 });
    const done = publisher.run(never);
    await vi.advanceTimersByTimeAsync(1000);
    await done;
    expect([undefined, 20, 2000].map((notifiedMs) => publisher.durationS(notifiedMs))).toEqual([0.5, 0.5, 2.4]);
  });
});
