import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Driver, expectFewMoves, movesPerClient } from './driver.ts';
import { Instance } from './instance.ts';

const CLIENTS = 400;
const START_MS = 300_000;
/** A rollout, and ten minutes after it, within which relays become even. */
const RUN_MS = 1_200_000;
const EVEN_AFTER_MS = 600_000;

// Relays rebalance two minutes after the last one joined, and slowly: this takes a quarter of an hour.
describe.skipIf(!process.env.KUBE_TEST_LONG).each([2, 3])(
  '%i relays behind a Service, which picks at random',
  (relays) => {
    let instance: Instance;
    let driver: Driver;

    beforeAll(async () => {
      instance = await Instance.start({
        namespace: `heliograph-test-rebalancing-${relays}`,
        changes: { replicas: [{ name: 'relay', count: relays }] },
      });
      driver = await Driver.start({ instance, clients: CLIENTS });
    }, START_MS);

    afterAll(async () => {
      await driver?.stop();
      await instance?.remove();
    }, START_MS);

    it(
      'move few clients in a rollout, and are even ten minutes after it',
      async () => {
        const rollout = await driver.during(() => instance.restart('relay'));
        const atOnce = await instance.relayConnections();
        await setTimeout(EVEN_AFTER_MS);
        const report = await driver.untilCurrent();
        const later = await instance.relayConnections();
        console.info(`${relays} relays after a rollout`, movesPerClient(rollout), atOnce);
        console.info('ten minutes later', movesPerClient(report), later);
        const loads = later.map(({ connections }) => connections);
        const mean = loads.reduce((sum, load) => sum + load, 0) / relays;
        for (const load of loads) expect(Math.abs(load - mean), `${loads}`).toBeLessThanOrEqual(0.15 * mean);
        expectFewMoves(report, relays);
        expect(report.behind).toEqual([]);
      },
      RUN_MS,
    );
  },
);
