import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import WebSocket from 'ws';
import { Spread } from '../../services/client/spread.ts';
import type { Broker } from '../../services/shared/broker/broker.ts';
import { type CountingOrigin, startCountingOrigin } from '../support/counting-origin.ts';
import { eventually } from '../support/eventually.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

const BUDGET = 500;

describe('the app behind two relays', () => {
  let brokers: Broker[];
  let relays: RelayFixture[];
  let origin: CountingOrigin;
  const sockets: WebSocket[] = [];

  beforeEach(async () => {
    const env = { ORIGIN_RPS: String(BUDGET), CONNECTION_RATE: '0', REBALANCE: '0' };
    const cluster = redisBrokers({ REDIS_URL: inject('redisUrl') });
    brokers = [cluster.connect(), cluster.connect()];
    relays = await Promise.all(brokers.map((ownBroker) => startRelay({ env, ownBroker })));
    origin = await startCountingOrigin();
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.terminate();
    for (const relay of relays) await relay.stop();
    await origin.stop();
  });

  /** Connects clients that fetch when they are told, within the spread that comes along. */
  async function listen(count: number, path: string): Promise<void> {
    let listening = 0;
    for (let i = 0; i < count; i += 1) {
      // Two of three come to the first relay.
      const socket = new WebSocket(`${relays[i % 3 === 0 ? 1 : 0]?.url}${path}`);
      sockets.push(socket);
      const spread = new Spread(() => origin.fetch());
      socket.on('open', () => {
        if (path.startsWith('/update_check')) listening += 1;
      });
      socket.on('message', (text) => {
        const message = String(text).startsWith('{') ? JSON.parse(String(text)) : { type: 'update' };
        if (message.type === 'subscribed') listening += 1;
        else if (message.type === 'update') spread.within(message.spread);
      });
      if (i % 200 === 199) await eventually(() => expect(listening).toBe(i + 1), 15_000);
    }
    await eventually(() => expect(listening).toBe(count), 15_000);
    // Both relays have seen what the other one holds.
    await eventually(async () => {
      for (const relay of relays) expect(await relay.metric('relay_cluster_connections')).toBe(count);
    }, 10_000);
  }

  /** The most fetches within any second. */
  function busiestSecond(fetchedAtMs: readonly number[]): number {
    const sorted = [...fetchedAtMs].sort((a, b) => a - b);
    let first = 0;
    return sorted.reduce((most, atMs, i) => {
      while ((sorted[first] ?? 0) < atMs - 1000) first += 1;
      return Math.max(most, i - first + 1);
    }, 0);
  }

  it.each([
    ['the library', '/ws?topic=page'],
    ['the protocol of 2009', '/update_check?topic=page'],
  ])(
    'gets the fetches of 2,000 clients with %s within its budget, and all of them in time',
    async (_, path) => {
      await listen(2000, path);
      const begunAtMs = performance.now();
      await relays[0]?.publish('page');
      const fetches = await eventually(async () => {
        const requests = await origin.requests();
        expect(requests.length).toBe(2000);
        return requests;
      }, 15_000);
      const tookMs = performance.now() - begunAtMs;
      const most = busiestSecond(fetches);
      const seconds = (tookMs / 1000).toFixed(1);
      console.info(`2,000 fetches in ${seconds} s, ${most} in the busiest second of a budget of ${BUDGET}`);
      expect(most).toBeLessThanOrEqual(BUDGET * 1.2);
      expect(tookMs).toBeLessThan((2000 / BUDGET) * 1000 * 2 + 1000);
    },
    60_000,
  );

  it('gets those of five clients at once', async () => {
    await listen(5, '/ws?topic=page');
    const begunAtMs = performance.now();
    await relays[0]?.publish('page');
    await eventually(async () => expect((await origin.requests()).length).toBe(5));
    expect(performance.now() - begunAtMs).toBeLessThan(500);
  });

  it('may say itself over which time it wants to be asked', async () => {
    await listen(5, '/ws?topic=page');
    const told = new Promise((resolve) =>
      sockets[0]?.once('message', (text) => resolve(JSON.parse(String(text)).spread)),
    );
    await relays[0]?.publish('page', { spread: 77 });
    expect(await told).toBe(77);
  });
});
