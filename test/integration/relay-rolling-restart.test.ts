import { describe, expect, inject, it } from 'vitest';
import { SETTLED_AFTER_MS } from '../../services/relay/cluster/relay-registry-view.ts';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type Haproxy, startHaproxy } from '../support/haproxy.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { ReconnectingClient } from '../support/reconnecting-client.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SteadyPublisher } from '../support/steady-publisher.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

const TOPICS = Array.from({ length: 20 }, (_, i) => `topic/${i}`);
const DRAIN_WINDOW_MS = 4000;

/** Four places for relays behind a HAProxy, a webhook, and clients. */
class ProxiedCluster implements AsyncDisposable {
  readonly clients: ReconnectingClient[] = [];
  readonly relays: (ServiceProcess | undefined)[] = [];
  readonly webhook: ServiceProcess;
  readonly #env: Readonly<Record<string, string>>;
  readonly #places: readonly { port: number; adminPort: number }[];
  readonly #haproxy: Haproxy;

  private constructor(deps: {
    env: Readonly<Record<string, string>>;
    places: readonly { port: number; adminPort: number }[];
    webhook: ServiceProcess;
    haproxy: Haproxy;
  }) {
    this.#env = deps.env;
    this.#places = deps.places;
    this.webhook = deps.webhook;
    this.#haproxy = deps.haproxy;
  }

  /** Starts three relays, and leaves the fourth place empty. */
  static async start(more: Readonly<Record<string, string>>): Promise<ProxiedCluster> {
    const env = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      DRAIN_WAIT: '2s', // HAProxy checks twice a second
      DRAIN_WINDOW: `${DRAIN_WINDOW_MS}ms`,
      CONNECTION_RATE: '0',
      ...more,
    };
    const places: { port: number; adminPort: number }[] = [];
    for (let i = 0; i < 4; i += 1) places.push({ port: await freePort(), adminPort: await freePort() });
    const [webhook, haproxy] = await Promise.all([startService('webhook', env), startHaproxy({ relay: places })]);
    const cluster = new ProxiedCluster({ env, places, webhook, haproxy });
    await Promise.all([0, 1, 2].map((place) => cluster.startRelay(place)));
    return cluster;
  }

  async startRelay(place: number): Promise<void> {
    const { port, adminPort } = this.#places[place] as { port: number; adminPort: number };
    const ports = { RELAY_PORT: String(port), ADMIN_PORT: String(adminPort) };
    this.relays[place] = await startService('relay', { ...this.#env, ...ports });
  }

  async connect(count: number): Promise<void> {
    const { clients } = this;
    for (let i = 0; i < count; i += 1) {
      clients.push(new ReconnectingClient({ url: this.#haproxy.url, topic: TOPICS[i % TOPICS.length] as string }));
      if (i % 100 === 99) await eventually(() => expect(clients.every(({ isSubscribed }) => isSubscribed)).toBe(true));
    }
  }

  /** The maximum number of clients that connected within any second of this period. */
  busiestSecond(fromMs: number, toMs: number): number {
    const times = this.clients
      .flatMap(({ connectsMs }) => connectsMs)
      .filter((atMs) => atMs >= fromMs && atMs <= toMs)
      .sort((a, b) => a - b);
    let first = 0;
    return times.reduce((most, atMs, i) => {
      while ((times[first] ?? 0) < atMs - 1000) first += 1;
      return Math.max(most, i - first + 1);
    }, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.end();
    await this.#haproxy.stop();
    await Promise.all([this.webhook, ...this.relays].map((service) => service?.stop('SIGKILL')));
  }
}

// At the same time: a relay that joins is left alone for two minutes.
describe.concurrent('behind a real HAProxy', () => {
  it('a rolling restart of three relays with 2,000 clients loses no client and causes no refetch', async () => {
    await using cluster = await ProxiedCluster.start({ REBALANCE: '0' });
    const { clients, relays, webhook } = cluster;
    await cluster.connect(2000);
    const publisher = new SteadyPublisher({
      webhooks: [{ url: `http://127.0.0.1:${webhook.port}`, token: WEBHOOK_TOKEN }],
      topics: TOPICS,
      batch: 2,
      intervalMs: 250,
    });
    publisher.resume();
    const rates: number[] = [];
    try {
      for (const place of [0, 1, 2]) {
        const fromMs = performance.now();
        expect(await relays[place]?.stop()).toBe(0);
        rates.push(cluster.busiestSecond(fromMs, performance.now()));
        await cluster.startRelay(place);
      }
      await publisher.pause();
      const { ledger } = publisher;
      const behind = () => clients.filter(({ topic, version }) => version < ledger.version(topic)).length;
      await eventually(() => expect(behind()).toBe(0));
      const spurious = clients.reduce((sum, client) => sum + client.spurious, 0);
      console.info(
        `a rolling restart of three relays: 0 of ${clients.length} clients behind after ${ledger.size} updates, ${spurious} fetches without an update, ` +
          `at most ${rates.join(', ')} clients came back in a second (a third of them is ${Math.round(2000 / 3)}, over ${DRAIN_WINDOW_MS / 1000} s)`,
      );
      expect(spurious).toBe(0);
      // An even rate is a quarter of a relay's clients per second; reconnects are spread over one more second.
      const each = 2000 / 2; // the second and third relay also hold the clients of the relays before
      for (const rate of rates) expect(rate).toBeLessThan((each / (DRAIN_WINDOW_MS / 1000)) * 2);
    } finally {
      await publisher.stop();
    }
  });

  it('a fourth relay that joins three gets its share two minutes later, at a bounded rate', async () => {
    await using cluster = await ProxiedCluster.start({ REBALANCE: '50' });
    const { clients, relays } = cluster;
    await cluster.connect(1000);
    await cluster.startRelay(3);
    const begunAtMs = performance.now();
    const stopwatch = startStopwatch();
    const held = () => Promise.all(relays.map((relay) => relay?.metric('relay_connections') ?? 0));
    const mean = 1000 / 4;
    await eventually(async () => {
      for (const count of await held()) {
        expect(count).toBeGreaterThan(mean * 0.85);
        expect(count).toBeLessThan(mean * 1.15);
      }
    }, SETTLED_AFTER_MS + 60_000);
    const elapsed = stopwatch.stop();
    const shed = (await Promise.all(relays.map((relay) => relay?.metric('relay_connections_shed_total') ?? 0))).reduce(
      (sum, n) => sum + n,
      0,
    );
    const most = cluster.busiestSecond(begunAtMs, performance.now());
    console.info(
      `a fourth relay: ${(await held()).join(', ')} of 1000 clients after ${(elapsed.tookMs / 1000).toFixed(1)} s; ${shed} were sent away, at most ${most} came in a second`,
    );
    // As deploy/README.md says: the surplus of each at REBALANCE, once the relays are settled and the first few reached the fourth.
    expect(elapsed.tookMs).toBeGreaterThan(SETTLED_AFTER_MS * 0.9);
    expectInTime(elapsed, SETTLED_AFTER_MS + ((1000 / 3 - mean) / 50) * 1000 + 30_000);
    // A quarter must move; a client that was shed may reach another relay with a surplus.
    expect(shed).toBeLessThan(600);
    expect(most).toBeLessThanOrEqual(3 * 50 * 1.5);
    expect(clients.reduce((sum, client) => sum + client.spurious + client.fetches, 0)).toBe(0);
  });
});
