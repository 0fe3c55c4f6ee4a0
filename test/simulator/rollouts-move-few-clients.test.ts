import { describe, expect, it } from 'vitest';
import { type Balancing, Rollout } from './rollout.ts';

const TEN_MINUTES_MS = 600_000;

/** Moves per client that a load balancer which picks at random makes unavoidable without any rebalancing. */
const unavoidable = (relays: number) => (1 + 1 / relays) ** relays - 1;

async function replaceAll(relays: number, balancing: Balancing, clients: 'library' | 'plain') {
  const rollout = new Rollout({ seed: relays, balancing });
  const result = await rollout.run({
    relays,
    clientsPerRelay: 300,
    library: clients === 'library',
    afterMs: TEN_MINUTES_MS,
  });
  console.info(
    `${relays} relays, ${balancing}, ${clients}: ${result.moves.toFixed(2)} moves and ${result.refusals.toFixed(2)} refusals ` +
      `per client, then within ${(result.unevenness * 100).toFixed(0)} % of the mean`,
  );
  return result;
}

describe('a rollout, shedding in the ten minutes after it included,', () => {
  it.each([
    [2, 'random'],
    [3, 'random'],
    [5, 'random'],
    [10, 'random'],
    [20, 'random'],
    [50, 'random'],
    [2, 'leastconn'],
    [20, 'leastconn'],
  ] as const)(
    'of %d relays moves a client of the library at most 1.5 times and leaves the relays even: %s',
    async (relays, balancing) => {
      const { moves, unevenness } = await replaceAll(relays, balancing, 'library');
      expect(moves).toBeLessThanOrEqual(1.5);
      expect(unevenness).toBeLessThanOrEqual(0.15);
    },
  );

  it.each([2, 3, 5, 10, 20, 50])(
    'of %d relays moves other clients hardly more often than without rebalancing',
    async (relays) => {
      const { moves } = await replaceAll(relays, 'random', 'plain');
      expect(moves).toBeLessThanOrEqual(1.25 * unavoidable(relays));
      expect((await replaceAll(relays, 'leastconn', 'plain')).moves).toBeLessThanOrEqual(1.2);
    },
  );
});
