import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { invalidateOnUpdate } from '../../../../services/client/adapters/query.ts';
import { revalidateOnUpdate } from '../../../../services/client/adapters/swr.ts';
import type { Fetcher, FetchReason } from '../../../../services/client/heliograph-client.ts';

/** A client that records its watch, whose runs the test causes. */
function createWatched() {
  const ended = vi.fn();
  const watched: { topic: string; fetcher: Fetcher }[] = [];
  const watch = (topic: string, fetcher: Fetcher) => {
    watched.push({ topic, fetcher });
    return ended;
  };
  const run = async () =>
    watched[0]?.fetcher({ signal: new AbortController().signal, update: undefined } as FetchReason);
  return { heliograph: { watch }, watched, run, ended };
}

describe('the adapter for TanStack Query', () => {
  let queryClient: QueryClient;
  beforeEach(() => {
    queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  });
  afterEach(() => queryClient.clear());

  /** Shows a query, and returns the function that fetches it. */
  function show(...queryKey: readonly unknown[]) {
    const queryFn = vi.fn(async () => 'content');
    new QueryObserver(queryClient, { queryKey, queryFn }).subscribe(() => {});
    return queryFn;
  }

  it('fetches every query below the key once in each run, which fails if one of them does', async () => {
    const [comments, others] = [show('comments', 1), show('others')];
    const { heliograph, watched, run, ended } = createWatched();
    const stop = invalidateOnUpdate({ heliograph, queryClient, topic: 'chat', queryKey: ['comments'] });
    expect(watched.map(({ topic }) => topic)).toEqual(['chat']);
    await vi.waitUntil(() => queryClient.isFetching() === 0);
    await run();
    expect([comments.mock.calls.length, others.mock.calls.length]).toEqual([2, 1]);
    comments.mockRejectedValueOnce(new Error('away'));
    await expect(run()).rejects.toThrow('away');
    stop();
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it('fetches a query again whose first fetch is in progress, which may have read the content before the update', async () => {
    const { heliograph, run } = createWatched();
    invalidateOnUpdate({ heliograph, queryClient, topic: 'chat', queryKey: ['comments'] });
    const comments = show('comments');
    show('others');
    expect(queryClient.isFetching()).toBe(2);
    await run();
    expect(comments).toHaveBeenCalledTimes(2);
  });

  it('fetches a query that has content once, also while it is fetched, or others are for the first time', async () => {
    const { heliograph, run } = createWatched();
    invalidateOnUpdate({ heliograph, queryClient, topic: 'chat', queryKey: ['comments'] });
    const comments = show('comments');
    await vi.waitUntil(() => queryClient.isFetching() === 0);
    void queryClient.refetchQueries({ queryKey: ['comments'] });
    show('others');
    expect(queryClient.isFetching()).toBe(2);
    await run();
    expect(comments).toHaveBeenCalledTimes(3);
  });
});

describe('the adapter for SWR', () => {
  it('revalidates its key, and the run fails if that does', async () => {
    const mutate = vi.fn(async (_key: string) => {});
    const { heliograph, watched, run, ended } = createWatched();
    const stop = revalidateOnUpdate({ heliograph, mutate, topic: 'chat', key: '/comments' });
    expect(watched.map(({ topic }) => topic)).toEqual(['chat']);
    await run();
    expect(mutate.mock.calls).toEqual([['/comments']]);
    mutate.mockRejectedValueOnce(new Error('away'));
    await expect(run()).rejects.toThrow('away');
    stop();
    expect(ended).toHaveBeenCalledTimes(1);
  });
});
