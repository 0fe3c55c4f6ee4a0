import { expect, it } from 'vitest';
import { countMissing, RegisteredRelays } from '../../../../services/shared/broker/redis/registered-relays.ts';
import { MAX_TTL_DIFFERENCE_MS } from '../../../../services/shared/broker/retention.ts';

it('a relay says that it has returned for as long as the registry may count as incomplete', () => {
  let nowMs = 0;
  const ttlMs = 12_200;
  const relays = new RegisteredRelays({ monotonicMs: () => nowMs });
  relays.learn({ registry: '1 0', count: 2, ttlMs });
  expect(relays.entry).toEqual({ seen: 2 });
  relays.learn({ registry: '1 5', count: 1, ttlMs });
  nowMs = ttlMs + MAX_TTL_DIFFERENCE_MS - 1;
  expect(relays.entry).toEqual({ seen: 2, returned: true });
  nowMs += 1;
  expect(relays.entry).toEqual({ seen: 1 });
});

it('a relay that registers after a loss, before others notice it, does not say that it has returned', () => {
  const relays = new RegisteredRelays({ monotonicMs: () => 0 });
  relays.learn({ registry: '70 0', count: 1, ttlMs: 12_200 });
  relays.learn({ registry: '70 70', count: 2, ttlMs: 12_200 });
  expect(relays.entry).toEqual({ seen: 2 });
  relays.learn({ registry: '70 90', count: 1, ttlMs: 12_200 });
  expect(relays.entry).toEqual({ seen: 2, returned: true });
});

it('a relay knows whether its entry has changed, by a loss after its first exchange, or by the number of relays', () => {
  const relays = new RegisteredRelays({ monotonicMs: () => 0 });
  const learn = (registry: string, count: number) => relays.learn({ registry, count, ttlMs: 12_200 });
  relays.know('1 0');
  expect(relays.registry).toBe('1 0');
  expect([learn('1 5', 2), relays.entry]).toEqual([true, { seen: 2 }]);
  expect([learn('1 5', 2), learn('1 5', 3), relays.registry]).toEqual([false, true, '1 5']);
  expect([learn('9 0', 1), relays.entry]).toEqual([true, { seen: 3, returned: true }]);
  expect([learn('9 0', 2), relays.entry]).toEqual([false, { seen: 3, returned: true }]);
});

it('relays are missing if none is registered, or fewer have returned after a loss than one of them has seen before', () => {
  const [former, other] = [{ seen: 3, returned: true as const }, { seen: 7 }];
  expect([countMissing([], false), countMissing([], true)]).toEqual([1, 1]);
  expect([countMissing([other], false), countMissing([other], true)]).toEqual([0, 1]);
  expect([1, 2, 3, 4].map((count) => countMissing(new Array(count).fill(former), true))).toEqual([2, 1, 0, 0]);
  expect(countMissing([former, other], true)).toBe(2);
});
