import type { Heliograph } from '../heliograph-client.ts';

/** The part of TanStack Query's `QueryClient` that is used, the same for every framework. */
interface Invalidates {
  invalidateQueries(filters: { queryKey: readonly unknown[] }, options: { throwOnError: boolean }): Promise<void>;
  isFetching(filters: {
    queryKey: readonly unknown[];
    predicate: (query: { readonly state: { readonly data: unknown } }) => boolean;
  }): number;
}

/**
 * Invalidates queries of TanStack Query (React, Vue, Svelte or Solid) whenever a topic has changed: after a random part of the
 * update's spread, and in a hidden tab once it is shown. Queries that fail are invalidated again.
 *
 * @returns a function that ends it
 * @throws {TypeError} if the topic is invalid
 * @example
 * ```js
 * const stop = invalidateOnUpdate({ heliograph, queryClient, topic: 'chat', queryKey: ['comments'] });
 * ```
 */
export function invalidateOnUpdate(options: {
  readonly heliograph: Pick<Heliograph, 'watch'>;
  readonly queryClient: Invalidates;
  readonly topic: string;
  readonly queryKey: readonly unknown[];
}): () => void {
  const { heliograph, queryClient, topic, queryKey } = options;
  const invalidate = () => queryClient.invalidateQueries({ queryKey }, { throwOnError: true });
  return heliograph.watch(topic, async () => {
    const isFirst = queryClient.isFetching({ queryKey, predicate: ({ state }) => state.data === undefined }) > 0;
    await invalidate();
    // The first fetch of a query is not repeated while it is in progress: it may have read the content before the update.
    if (isFirst) await invalidate();
  });
}
