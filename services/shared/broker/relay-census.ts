import type { RelayCensus } from './receipts.ts';

/**
 * Who is known, each with how many relays it has seen itself: where one has just seen more, so many are missing. That
 * there is none at all cannot be, or nobody needs a webhook.
 */
export function takeCensus(relays: readonly (readonly [name: string, seen: number])[]): RelayCensus {
  const expected = Math.max(1, ...relays.map(([, seen]) => seen));
  return { names: relays.map(([name]) => name), missing: Math.max(0, expected - relays.length) };
}
