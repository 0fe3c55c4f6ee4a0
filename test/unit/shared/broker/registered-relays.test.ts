import { expect, it } from 'vitest';
import { RegisteredRelays } from '../../../../services/shared/broker/redis/registered-relays.ts';
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
  relays.learn({ registry: '7 0', count: 1, ttlMs: 12_200 });
  relays.learn({ registry: '7 7', count: 2, ttlMs: 12_200 });
  expect(relays.entry).toEqual({ seen: 2 });
  relays.learn({ registry: '7 9', count: 1, ttlMs: 12_200 });
  expect(relays.entry).toEqual({ seen: 2, returned: true });
});
