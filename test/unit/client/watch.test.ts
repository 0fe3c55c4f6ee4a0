import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createWatch, type FetchReason, type Watch } from '../../../services/client/watch.ts';

/** A run of the fetcher that the test ends. */
interface Run extends FetchReason {
  succeed(): Promise<void>;
  fail(): Promise<void>;
}

describe('a watch', () => {
  let runs: Run[];
  let watch: Watch;
  let page: EventTarget & { hidden: boolean };

  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    page = Object.assign(new EventTarget(), { hidden: false });
    vi.stubGlobal('document', page);
    runs = [];
    watch = createWatch(
      (reason) =>
        new Promise<void>((resolve, reject) => {
          const settle = async (act: () => void) => {
            act();
            await passes(0);
          };
          runs.push({ ...reason, succeed: () => settle(resolve), fail: () => settle(() => reject(new Error('away'))) });
        }),
    );
  });
  afterEach(() => {
    watch.stop();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const last = () => runs.at(-1) as Run;
  const updated = async (version: number, spread?: number) => {
    watch.updated({ topic: 'chat', version, ...(spread === undefined ? {} : { spread }) });
    await passes(0);
  };
  function show(isShown: boolean): void {
    page.hidden = !isShown;
    page.dispatchEvent(new Event('visibilitychange'));
  }

  it('runs once at the start, after the relay has confirmed the version', async () => {
    watch.start();
    await passes(100);
    expect(runs).toHaveLength(0);
    watch.subscribed();
    expect(runs).toHaveLength(1);
    expect(last().update).toBeUndefined();
    await last().succeed();
    watch.subscribed();
    await passes(3_600_000);
    expect(runs).toHaveLength(1);
  });

  it('waits for the relay for at most a second, and runs once more after it confirms', async () => {
    watch.start();
    await passes(1000);
    expect(runs).toHaveLength(1);
    await last().succeed();
    watch.subscribed();
    expect(runs).toHaveLength(2);
  });

  it('runs after a part of the spread, with the newest update, once for all that arrived', async () => {
    await updated(1, 1000);
    await updated(2, 1000);
    await passes(499);
    expect(runs).toHaveLength(0);
    await passes(1);
    expect(runs).toHaveLength(1);
    expect(last().update).toEqual({ topic: 'chat', version: 2, spread: 1000 });
    await last().succeed();
    await passes(3_600_000);
    expect(runs).toHaveLength(1);
  });

  it('does not wait for the spread of an earlier update if a later one has a shorter spread, or none', async () => {
    await updated(1, 3_600_000);
    await updated(2, 1000);
    await passes(499);
    expect(runs).toHaveLength(0);
    await passes(1);
    expect(last().update?.version).toBe(2);
    await last().succeed();
    await updated(3, 3_600_000);
    await updated(4);
    expect(runs).toHaveLength(2);
    expect(last().update).toEqual({ topic: 'chat', version: 4 });
    await last().succeed();
    await passes(3_600_000);
    expect(runs).toHaveLength(2);
  });

  it('keeps the time within a spread that an earlier update has chosen, so that frequent updates do not end the spread', async () => {
    await updated(1, 1000);
    vi.mocked(Math.random).mockReturnValue(0);
    await updated(2, 1000);
    await updated(3, 600);
    await passes(499);
    expect(runs).toHaveLength(0);
    await passes(1);
    expect(last().update?.version).toBe(3);
  });

  it('never runs twice at a time, and once more for all updates that arrived during a run', async () => {
    await updated(1);
    await updated(2);
    await updated(3);
    expect(runs).toHaveLength(1);
    await runs[0]?.succeed();
    expect(runs).toHaveLength(2);
    expect(last().update?.version).toBe(3);
    await last().succeed();
    await passes(3_600_000);
    expect(runs).toHaveLength(2);
  });

  it('repeats a failed run after growing delays, with the same update, until it succeeds', async () => {
    await updated(1);
    for (const restMs of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
      const count = runs.length;
      await last().fail();
      await passes(restMs - 1);
      expect(runs).toHaveLength(count);
      await passes(1);
      expect(runs).toHaveLength(count + 1);
      expect(last().update?.version).toBe(1);
    }
    await last().succeed();
    await passes(3_600_000);
    expect(runs).toHaveLength(8);
  });

  it('keeps the delay after a failure if an update arrives, and then runs with that', async () => {
    await updated(1);
    await last().fail();
    await updated(2);
    expect(runs).toHaveLength(1);
    await passes(500);
    expect(runs).toHaveLength(2);
    expect(last().update?.version).toBe(2);
  });

  it('repeats a run whose fetcher throws synchronously', async () => {
    watch.stop();
    const fetcher = vi.fn(() => {
      throw new Error('a mistake');
    });
    watch = createWatch(fetcher);
    await updated(1);
    await passes(500);
    expect(fetcher).toHaveBeenCalledTimes(2);
  });

  it('aborts a run that takes longer than 30 s', async () => {
    await updated(1);
    await passes(29_999);
    expect(last().signal.aborted).toBe(false);
    await passes(1);
    expect(last().signal.aborted).toBe(true);
  });

  it('runs every 15 to 30 s while the status is not live, and stops when it is', async () => {
    watch.status('live');
    await passes(3_600_000);
    watch.status('stale');
    watch.status('offline');
    watch.status('connecting');
    await passes(22_499);
    expect(runs).toHaveLength(0);
    await passes(1);
    expect(runs).toHaveLength(1);
    await last().succeed();
    await passes(22_500);
    expect(runs).toHaveLength(2);
    await last().succeed();
    watch.status('live');
    await passes(3_600_000);
    expect(runs).toHaveLength(2);
  });

  it('pauses in a hidden tab, and runs once when it is shown', async () => {
    show(false);
    await updated(1);
    await updated(2);
    watch.status('offline');
    await passes(120_000);
    watch.status('live');
    expect(runs).toHaveLength(0);
    show(true);
    expect(runs).toHaveLength(1);
    expect(last().update?.version).toBe(2);
    await last().succeed();
    show(false);
    show(true);
    expect(runs).toHaveLength(1);
  });

  it('aborts a run when it ends, and runs no more', async () => {
    await updated(1);
    await updated(2, 1000);
    watch.status('offline');
    const { signal } = last();
    watch.stop();
    expect(signal.aborted).toBe(true);
    await last().fail();
    show(true);
    await passes(3_600_000);
    expect(runs).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
