import { setTimeout as wait } from 'node:timers/promises';
import { ChaosClient } from '../support/chaos-client.ts';
import { eventually } from '../support/eventually.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SteadyPublisher } from '../support/steady-publisher.ts';
import { JWT_SECRET, WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type Resources, readResources, startSoaked } from './soaked-service.ts';
import { Visitors } from './visitors.ts';

const TOPICS = Array.from({ length: 500 }, (_, i) => `soak/${i}`);
const STEADY_CLIENTS = 20;
const VISITORS = 60;
const FREEZE_MS = 3000;
const SETTLED_MS = 120_000;
const MIB = 1024 * 1024;

/** What is compared, and the most that it may be at the end. */
const LIMITS = {
  heap: (before: number) => before * 1.1 + 2 * MIB,
  rss: (before: number) => before * 1.25 + 16 * MIB,
  files: (before: number) => before + 3,
} as const satisfies Record<keyof Resources, (before: number) => number>;

/** One compared value. */
export interface SoakRow {
  readonly what: string;
  readonly before: number;
  readonly after: number;
  readonly atMost: number;
}

/** The result of a soak. */
export interface SoakResult {
  readonly rows: readonly SoakRow[];
  readonly faults: number;
  readonly visits: number;
  readonly updates: number;
  /** Clients that do not have the newest update of each of their topics in the end. */
  readonly behind: number;
}

/** A cluster under churn. One relay and one webhook live as long as it does; the others are killed now and then. */
class SoakedCluster implements AsyncDisposable {
  readonly visitors: Visitors;
  readonly publisher: SteadyPublisher;
  readonly #redis: RedisProcess;
  readonly #env: Readonly<Record<string, string>>;
  readonly #old: readonly [relay: ServiceProcess, webhook: ServiceProcess];
  #young: readonly [relay: ServiceProcess, webhook: ServiceProcess];
  #clients: ChaosClient[] = [];
  #faults = 0;

  private constructor(deps: {
    redis: RedisProcess;
    env: Readonly<Record<string, string>>;
    old: readonly [ServiceProcess, ServiceProcess];
    young: readonly [ServiceProcess, ServiceProcess];
  }) {
    this.#redis = deps.redis;
    this.#env = deps.env;
    this.#old = deps.old;
    this.#young = deps.young;
    const relays = () => this.#relays();
    this.visitors = new Visitors({ relays, topics: TOPICS });
    const webhook = (port: () => number) => ({
      token: WEBHOOK_TOKEN,
      get url() {
        return `http://127.0.0.1:${port()}`;
      },
    });
    this.publisher = new SteadyPublisher({
      webhooks: [webhook(() => this.#old[1].port), webhook(() => this.#young[1].port)],
      topics: TOPICS,
      batch: 5,
      intervalMs: 50,
      data: () => ({ text: 'x'.repeat(500) }),
    });
  }

  static async start(): Promise<SoakedCluster> {
    const redis = await RedisProcess.start();
    const env = {
      REDIS_URL: redis.url,
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      JWT_SECRET,
      SUBSCRIBE_AUTH: 'optional',
      PRIVATE_TOPICS: 'private/*',
      DRAIN_WINDOW: '0s',
    };
    const both = (start: typeof startSoaked) => Promise.all([start('relay', env), start('webhook', env)]);
    return new SoakedCluster({ redis, env, old: await both(startSoaked), young: await both(startService) });
  }

  get faults(): number {
    return this.#faults;
  }

  /** Starts the clients that stay, the visitors and the publisher. */
  begin(): void {
    const pick = (i: number) => TOPICS[(i * 37) % TOPICS.length] as string;
    this.#clients = Array.from({ length: STEADY_CLIENTS }, (_, i) =>
      i % 2 === 0
        ? new ChaosClient({ kind: 'websocket', topics: [pick(i), pick(i + 1)], relays: () => this.#websockets() })
        : new ChaosClient({ kind: 'legacy', topics: [pick(i)], relays: () => this.#websockets() }),
    );
    this.visitors.come(VISITORS);
    this.publisher.resume();
  }

  /** Ends all load, and returns how many of the clients that stayed do not have the newest updates. */
  async end(): Promise<number> {
    await this.visitors.leave();
    await this.publisher.pause();
    for (let i = 0; i < TOPICS.length; i += 50) await this.publisher.publish(TOPICS.slice(i, i + 50));
    const behind = () => this.#clients.filter((client) => client.behind(this.publisher.ledger).length > 0).length;
    await eventually(() => {
      if (behind() > 0) throw new Error('clients are behind');
    }, SETTLED_MS).catch(() => {});
    const left = behind();
    for (const client of this.#clients) client.end();
    return left;
  }

  /** Returns what the old services and Redis hold, once all clients have left. */
  async measure(): Promise<Record<string, number>> {
    const [relay] = this.#old;
    await eventually(async () => {
      const left = [await relay.metric('relay_sockets'), await relay.metric('relay_topics')];
      if (left.some((count) => count > 0)) throw new Error('sockets and topics are left');
    }, SETTLED_MS);
    const values: Record<string, number> = {};
    for (const [i, name] of ['relay', 'webhook'].entries()) {
      const resources = await readResources(this.#old[i] as ServiceProcess);
      for (const key of Object.keys(LIMITS)) values[`${name}: ${key}`] = resources[key as keyof Resources];
    }
    values['Redis: keys'] = Number(await askRedis(this.#redis.url, 'DBSIZE'));
    return values;
  }

  /** Injects the next fault. */
  async injectFault(): Promise<void> {
    const faults = [
      () => this.#replace('relay'),
      () => askRedis(this.#redis.url, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      () => askRedis(this.#redis.url, 'CLIENT', 'KILL', 'TYPE', 'pubsub'),
      () => askRedis(this.#redis.url, 'SCRIPT', 'FLUSH'),
      () => this.#replace('webhook'),
      () => this.#freezeRedis(),
      () => askRedis(this.#redis.url, 'FLUSHALL'),
      () => this.#restartRedis(),
    ];
    await faults[this.#faults % faults.length]?.();
    this.#faults += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.publisher.stop();
    for (const client of this.#clients) client.end();
    await Promise.all([...this.#old, ...this.#young].map((service) => service.stop('SIGKILL')));
    await this.#redis.stop();
  }

  #relays(): readonly string[] {
    return [this.#old[0], this.#young[0]].map(({ port }) => `http://127.0.0.1:${port}`);
  }

  #websockets(): readonly string[] {
    return this.#relays().map((url) => url.replace('http', 'ws'));
  }

  async #replace(role: 'relay' | 'webhook'): Promise<void> {
    const [relay, webhook] = this.#young;
    await (role === 'relay' ? relay : webhook).stop('SIGKILL');
    const started = await startService(role, this.#env);
    this.#young = role === 'relay' ? [started, webhook] : [relay, started];
  }

  async #freezeRedis(): Promise<void> {
    this.#redis.freeze();
    await wait(FREEZE_MS);
    this.#redis.thaw();
  }

  async #restartRedis(): Promise<void> {
    await this.#redis.kill();
    await this.#redis.runEmpty();
  }
}

/** The kinds of faults, each of which happens before the first measurement. */
const FAULT_KINDS = 8;

/**
 * Runs a cluster under churn and faults, and compares what its processes hold with what they held after each kind of fault
 * had happened once: before that, code is still being compiled and buffers grow once.
 * @param options.minutes the time between the two measurements
 * @param options.pauseMs the time between faults
 */
export async function soak(options: {
  minutes: number;
  pauseMs: number;
  progress: (text: string) => void;
}): Promise<SoakResult> {
  const { minutes, pauseMs, progress } = options;
  await using cluster = await SoakedCluster.start();
  progress('warm-up: each kind of fault once');
  cluster.begin();
  for (let i = 0; i < FAULT_KINDS; i += 1) {
    await wait(pauseMs);
    await cluster.injectFault();
  }
  let behind = await cluster.end();
  const before = await cluster.measure();
  progress(`${minutes} minutes`);
  cluster.begin();
  const endAtMs = performance.now() + minutes * 60_000;
  while (performance.now() < endAtMs) {
    await wait(pauseMs);
    await cluster.injectFault();
  }
  behind += await cluster.end();
  const after = await cluster.measure();
  const rows = Object.entries(before).map(([what, value]) => {
    const limit = LIMITS[what.split(': ')[1] as keyof typeof LIMITS] ?? ((keys: number) => keys);
    return { what, before: value, after: after[what] ?? Number.NaN, atMost: limit(value) };
  });
  const { visitors, publisher, faults } = cluster;
  return { rows, faults, visits: visitors.counts.ended, updates: publisher.ledger.size, behind };
}
