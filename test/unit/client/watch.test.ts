import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createWatch,
  type Fetcher,
  type FetchReason,
  type Watch,
  type WatchError,
} from '../../../services/client/watch.ts';

/** A run of the fetcher that the test ends. */
interface Run extends FetchReason {
  succeed(result?: string): Promise<void>;
  fail(): Promise<void>;
}

describe('a watch', () => {
  let runs: Run[];
  let watch: Watch;
  let errors: WatchError[];
  let isHeld: boolean;
  let page: EventTarget & { hidden: boolean };

  function create(fetcher: Fetcher, since = 0): void {
    const report = (error: WatchError) => void errors.push(error);
    watch = createWatch({ topic: 'chat', fetcher, since, isHeld: () => isHeld, report });
  }

  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    page = Object.assign(new EventTarget(), { hidden: false });
    vi.stubGlobal('document', page);
    runs = [];
    errors = [];
    isHeld = false;
    create(
      (reason) =>
        new Promise((resolve, reject) => {
          const settle = async (act: () => void) => {
            act();
            await passes(0);
          };
          runs.push({
            ...reason,
            succeed: (result) => settle(() => resolve(result)),
            fail: () => settle(() => reject(new Error('away'))),
          });
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
    watch.subscribed({ topic: 'chat', version: 1 });
    expect(runs).toHaveLength(1);
    expect(last().update).toBeUndefined();
    await last().succeed();
    watch.subscribed({ topic: 'chat', version: 1 });
    await passes(3_600_000);
    expect(runs).toHaveLength(1);
  });

  it('waits for the relay for at most a second, and runs once more after it confirms', async () => {
    watch.start();
    await passes(1000);
    expect(runs).toHaveLength(1);
    await last().succeed();
    watch.subscribed({ topic: 'chat', version: 1 });
    expect(runs).toHaveLength(2);
  });

  it('does not run for a confirmation if it was not started, nor for what is about other topics', async () => {
    watch.subscribed({ topic: 'chat', version: 1 });
    watch.updated({ topic: 'news', version: 2 });
    watch.start();
    watch.subscribed({ topic: 'news', version: 1 });
    await passes(999);
    expect(runs).toHaveLength(0);
    watch.subscribed({ topic: 'chat', version: 1 });
    await last().succeed();
    watch.known({ topic: 'news', version: 2, previous: 1 });
    await updated(2);
    expect(runs).toHaveLength(2);
  });

  it('runs once at the start if an update comes before the confirmation', async () => {
    watch.start();
    await updated(1);
    await last().succeed();
    await passes(3_600_000);
    expect(runs).toHaveLength(1);
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

  it('does not run again for an update that it had already, and that another subscriber with an older version gets', async () => {
    await updated(1);
    await updated(1);
    await last().succeed();
    await updated(1);
    await passes(3_600_000);
    expect(runs).toHaveLength(1);
  });

  it('repeats a failed run after growing delays, with the same update, until it succeeds: it never gives up', async () => {
    await updated(1);
    for (const restMs of [500, 1000, 2000, 4000, 8000, ...Array.from({ length: 15 }, () => 15_000)]) {
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
    expect(runs).toHaveLength(21);
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
    create(fetcher);
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
    expect(getEventListeners(page, 'visibilitychange')).toEqual([]);
  });

  it('reports each failure of its fetcher with what it threw, but not what ends with the watch', async () => {
    await updated(1);
    await last().fail();
    expect(errors).toEqual([{ code: 'fetch_failed', error: new Error('away') }]);
    await passes(500);
    watch.stop();
    await last().fail();
    expect(errors).toHaveLength(1);
  });

  describe('of a page that wrote', () => {
    beforeEach(async () => {
      watch.start();
      watch.subscribed({ topic: 'chat', version: 10 });
      await last().succeed();
    });

    it('does not fetch its own write, whether it is known before its update arrives or while that is spread', async () => {
      watch.known({ topic: 'chat', version: 11, previous: 10 });
      await updated(11);
      await updated(12, 1000);
      watch.known({ topic: 'chat', version: 12, previous: 11 });
      await passes(3_600_000);
      expect(runs).toHaveLength(1);
      await updated(13);
      expect(runs).toHaveLength(2);
    });

    it('fetches if another update was published in between, in whatever order they arrive', async () => {
      watch.known({ topic: 'chat', version: 12, previous: 11 });
      await updated(12);
      expect(runs).toHaveLength(2);
      await last().succeed();
      await updated(13, 1000);
      watch.known({ topic: 'chat', version: 14, previous: 13 });
      await passes(500);
      expect(runs).toHaveLength(3);
      await last().succeed();
      watch.known({ topic: 'chat', version: 15, previous: 14 });
      await updated(15);
      expect(runs).toHaveLength(4);
    });

    it('fetches what others published after its own write', async () => {
      watch.known({ topic: 'chat', version: 11, previous: 10 });
      await updated(12);
      expect(runs).toHaveLength(2);
    });

    it('fetches again if a run was in progress, whose response may be older than the write', async () => {
      await updated(11);
      watch.known({ topic: 'chat', version: 12, previous: 11 });
      await updated(12);
      await last().succeed();
      expect(runs).toHaveLength(3);
    });

    it('fetches again if its own write is known during a run for another reason, which may be older than that', async () => {
      watch.status('offline');
      await passes(22_500);
      expect(runs).toHaveLength(2);
      watch.known({ topic: 'chat', version: 11, previous: 10 });
      await updated(11);
      await last().succeed();
      expect(runs).toHaveLength(3);
    });

    it('still knows what it shows if the response to an earlier write comes late', async () => {
      await updated(12);
      await last().succeed();
      watch.known({ topic: 'chat', version: 11, previous: 10 });
      watch.known({ topic: 'chat', version: 13, previous: 12 });
      await updated(13);
      expect(runs).toHaveLength(2);
    });

    it('skips updates up to a version that is known without a previous one', async () => {
      watch.known({ topic: 'chat', version: 15 });
      await updated(14);
      await updated(15);
      expect(runs).toHaveLength(1);
      await updated(16);
      expect(runs).toHaveLength(2);
    });

    it('fetches a version that is lower than the one before: the data history has changed', async () => {
      watch.known({ topic: 'chat', version: 20, previous: 10 });
      await updated(9);
      expect(runs).toHaveLength(2);
      await last().succeed();
      await updated(15);
      expect(runs).toHaveLength(3);
    });

    it('waits while a write is in progress, and fetches afterwards unless it was that write', async () => {
      isHeld = true;
      await updated(11);
      watch.known({ topic: 'chat', version: 11, previous: 10 });
      isHeld = false;
      watch.wake();
      expect(runs).toHaveLength(1);
      isHeld = true;
      await updated(12);
      await updated(13);
      watch.known({ topic: 'chat', version: 13, previous: 12 });
      expect(runs).toHaveLength(1);
      isHeld = false;
      watch.wake();
      expect(runs).toHaveLength(2);
    });

    it('never skips an update if the page has not had a version', async () => {
      watch.stop();
      create(() => void runs.push(runs[0] as Run));
      watch.known({ topic: 'chat', version: 12, previous: 11 });
      await updated(12);
      expect(runs).toHaveLength(2);
    });

    it('skips the update after the version with which the page was rendered', async () => {
      watch.stop();
      create(() => void runs.push(runs[0] as Run), 30);
      watch.known({ topic: 'chat', version: 31, previous: 30 });
      await updated(31);
      expect(runs).toHaveLength(1);
    });

    it('fetches if the version with which the page was rendered is above all that exist', async () => {
      watch.stop();
      create(() => void runs.push(runs[0] as Run), 9e15);
      await updated(31);
      expect(runs).toHaveLength(2);
    });
  });

  describe('whose responses name their version', () => {
    beforeEach(async () => {
      watch.start();
      watch.subscribed({ topic: 'chat', version: 10 });
      await last().succeed('chat=10');
    });

    it('fetches again after growing delays while they are older than the update, and reports that', async () => {
      await updated(12);
      for (const restMs of [500, 1000]) {
        await last().succeed('chat=10, news=99');
        const count = runs.length;
        await passes(restMs - 1);
        expect(runs).toHaveLength(count);
        await passes(1);
        expect(last().update?.version).toBe(12);
      }
      await last().succeed('news=1, chat=12');
      await passes(3_600_000);
      expect(runs).toHaveLength(4);
      const behind = { code: 'content_behind', version: 10, expected: 12 };
      expect(errors).toEqual([behind, behind]);
    });

    it('gives up after eight more runs, until the next update', async () => {
      await updated(12);
      for (let i = 0; i < 20; i += 1) {
        await last().succeed('chat=10');
        await passes(30_000);
      }
      expect(runs).toHaveLength(1 + 1 + 8);
      await updated(13);
      expect(runs).toHaveLength(11);
    });

    it('starts to count again with each response that is newer than the one before', async () => {
      await updated(100);
      for (let version = 20; version < 40; version += 1) {
        await last().succeed(`chat=${version}`);
        await passes(500);
      }
      expect(runs).toHaveLength(22);
    });

    it('does not fetch an update whose content a response has brought already', async () => {
      await updated(12);
      await updated(13, 1000);
      await last().succeed('chat=14');
      await updated(14);
      await passes(3_600_000);
      expect(runs).toHaveLength(2);
      await updated(15);
      expect(runs).toHaveLength(3);
    });

    it('counts the oldest of the responses that carried the signal of the run', async () => {
      await updated(12);
      watch.known({ topic: 'chat', version: 12, signal: last().signal });
      watch.known({ topic: 'chat', version: 11, signal: last().signal });
      watch.known({ topic: 'chat', version: 1, signal: new AbortController().signal });
      await last().succeed();
      expect(errors).toEqual([{ code: 'content_behind', version: 11, expected: 12 }]);
    });

    it('ignores the version of a response that no run has requested, as of a click', async () => {
      watch.known({ topic: 'chat', version: 20, signal: new AbortController().signal });
      await updated(12);
      await last().succeed();
      watch.known({ topic: 'chat', version: 1, signal: last().signal });
      expect([runs.length, errors]).toEqual([2, []]);
    });

    it('never takes a result that is not just the header for versions', async () => {
      await updated(12);
      await last().succeed('<a href="?chat=1">chat=1, and more</a>');
      expect(errors).toEqual([]);
    });

    it('fetches again if a response is older than what the page has written', async () => {
      watch.known({ topic: 'chat', version: 11, previous: 10 });
      watch.status('offline');
      await passes(22_500);
      await last().succeed('chat=10');
      await passes(500);
      expect(runs).toHaveLength(3);
    });
  });
});
