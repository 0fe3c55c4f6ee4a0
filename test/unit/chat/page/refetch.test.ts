import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FALLBACK_MAX_MS, FALLBACK_MIN_MS, Refetch } from '../../../../services/chat/page/refetch.ts';

const RANDOM = 0.5;

let fetches: { succeed(): Promise<void>; fail(): Promise<void> }[];
let refetch: Refetch;

beforeEach(() => {
  vi.useFakeTimers();
  fetches = [];
  const fetch = () =>
    new Promise<void>((resolve, reject) => {
      const settle = async (act: () => void) => {
        act();
        await vi.advanceTimersByTimeAsync(0);
      };
      fetches.push({ succeed: () => settle(resolve), fail: () => settle(() => reject(new Error('away'))) });
    });
  refetch = new Refetch(fetch, () => RANDOM);
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the page', () => {
  it('never fetches by itself', async () => {
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(fetches).toHaveLength(0);
  });

  it('fetches at once where there is nothing to spread, and once', async () => {
    refetch.within();
    expect(fetches).toHaveLength(1);
    await fetches[0]?.succeed();
    await vi.runAllTimersAsync();
    expect(fetches).toHaveLength(1);
  });

  it('spreads a fetch as it was told', async () => {
    refetch.within(10_000);
    await vi.advanceTimersByTimeAsync(10_000 * RANDOM - 1);
    expect(fetches).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(fetches).toHaveLength(1);
  });

  it('fetches once more for all that it was told of during a fetch', async () => {
    refetch.within();
    refetch.within();
    refetch.within();
    expect(fetches).toHaveLength(1);
    await fetches[0]?.succeed();
    expect(fetches).toHaveLength(2);
    await fetches[1]?.succeed();
    await vi.runAllTimersAsync();
    expect(fetches).toHaveLength(2);
  });

  it('fetches again after growing delays where it failed, until it succeeds', async () => {
    refetch.within();
    for (const [index, mostMs] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
      await fetches[index]?.fail();
      await vi.advanceTimersByTimeAsync(mostMs * RANDOM - 1);
      expect(fetches).toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(fetches).toHaveLength(index + 2);
    }
    await fetches[7]?.succeed();
    await vi.runAllTimersAsync();
    expect(fetches).toHaveLength(8);
  });

  it('fetches at once when it is told of news, also while it waits after a failure', async () => {
    refetch.within();
    await fetches[0]?.fail();
    refetch.within();
    expect(fetches).toHaveLength(2);
    await fetches[1]?.succeed();
    await vi.runAllTimersAsync();
    expect(fetches).toHaveLength(2);
  });

  it('fetches now and then in the fallback, and no more after it', async () => {
    refetch.fallback(true);
    refetch.fallback(true);
    const eachMs = FALLBACK_MIN_MS + RANDOM * (FALLBACK_MAX_MS - FALLBACK_MIN_MS);
    for (let count = 1; count <= 3; count += 1) {
      await vi.advanceTimersByTimeAsync(eachMs - 1);
      expect(fetches).toHaveLength(count - 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(fetches).toHaveLength(count);
      await fetches[count - 1]?.succeed();
    }
    refetch.fallback(false);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(fetches).toHaveLength(3);
  });
});
