import type { Heliograph } from '../heliograph-client.ts';

/**
 * Revalidates a key of SWR whenever a topic has changed: after a random part of the update's spread, and in a hidden tab once
 * it is shown.
 *
 * @param options.mutate of `useSWRConfig()`, or the global one
 * @param options.key a key, or a function that selects keys
 * @returns a function that ends it
 * @throws {TypeError} if the topic is invalid
 * @example
 * ```js
 * const stop = revalidateOnUpdate({ heliograph, mutate, topic: 'chat', key: '/comments' });
 * ```
 */
export function revalidateOnUpdate<K>(options: {
  readonly heliograph: Pick<Heliograph, 'watch'>;
  readonly mutate: (key: K) => Promise<unknown>;
  readonly topic: string;
  readonly key: K;
}): () => void {
  const { heliograph, mutate, topic, key } = options;
  return heliograph.watch(topic, () => mutate(key));
}
