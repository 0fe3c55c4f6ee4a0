import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChaosRedis, startChaosRedis } from '../support/chaos-redis.ts';

const [loader, relay] = ['typescript-loader.mjs', 'relay-without-repair.ts'].map((name) =>
  fileURLToPath(new URL(`../support/${name}`, import.meta.url)),
) as [string, string];

describe('the test of the chaos tests', () => {
  let chaos: ChaosRedis;
  beforeAll(async () => {
    chaos = await startChaosRedis({ relayProgram: ['--import', loader, relay] });
  });
  afterAll(() => chaos?.stop());

  it('finds clients that are not up to date after a restart of Redis where relays do not repair', async () => {
    const unheard = chaos.cluster.clientsOf(2);
    const outcome = await chaos.cluster.measure(
      'Redis restarted empty, and relays that do not repair',
      async () => {
        await chaos.killUnheard();
        await chaos.redis.run();
        chaos.link.set('passes');
      },
      { patienceMs: 12_000 },
    );
    expect(outcome.behind).toBeGreaterThan(50);
    expect(unheard).toEqual(expect.arrayContaining(chaos.cluster.behind()));
  }, 60_000);
});
