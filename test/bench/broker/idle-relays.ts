import { pathToFileURL } from 'node:url';
import type { RelayRegistryView } from '../../../services/relay/cluster/relay-registry-view.ts';
import type { Hub } from '../../../services/relay/hub/hub.ts';
import { SILENT_REPORT } from '../../../services/shared/broker/broker-report.ts';
import type { RedisBroker } from '../../../services/shared/broker/redis/redis-broker.ts';
import { SYSTEM_CLOCK } from '../../../services/shared/clock.ts';
import type { RedisProcess } from '../../support/redis-process.ts';
import { readCommands } from '../redis-counts.ts';
import { shortPrefix } from '../servers/short-prefix.ts';
import { pause } from '../test-bed.ts';
import { mainThreadCpuUs } from './main-thread.ts';

/** The defaults of `REPAIR_INTERVAL` and `PARTITIONS`. */
const REPAIR_INTERVAL_MS = 3000;
const PARTITIONS = '16';
/** Longer than the interval of exchanges in a large cluster. */
const WINDOW_MS = 3 * REPAIR_INTERVAL_MS;
/** Brokers that connect at once. */
const CONNECTING = 20;

/** The part of a relay that calls Redis, without clients. */
interface IdleRelay {
  stop(): Promise<void>;
}

/** Loads the parts of a build, and returns how to start idle relays of one cluster. */
async function createCluster(
  build: string,
  env: Readonly<Record<string, string>>,
): Promise<{ start(id: string): Promise<IdleRelay> }> {
  const load = (path: string) => import(pathToFileURL(`${build}/${path}.js`).href);
  const { RedisBroker: BuiltBroker } = await load('shared/broker/redis/redis-broker');
  const { EnvReader } = await load('shared/config/env-reader');
  const { requireRedisConfig } = await load('shared/config/redis-config');
  const { Hub: BuiltHub } = await load('relay/hub/hub');
  const { RelayRegistryView: BuiltView } = await load('relay/cluster/relay-registry-view');
  const config = requireRedisConfig(new EnvReader({ HELIOGRAPH_PREFIX: shortPrefix(), PARTITIONS, ...env }));
  const silent = new Proxy({}, { get: () => () => {} });
  return {
    async start(id) {
      const broker: RedisBroker = new BuiltBroker({ config, report: SILENT_REPORT, abort() {}, restoreTimeMs: 0 });
      const timing = { repairIntervalMs: REPAIR_INTERVAL_MS, floorSpreadMs: 0 };
      const hub: Hub = new BuiltHub({
        feed: broker,
        clock: SYSTEM_CLOCK,
        report: silent,
        probing: () => view.exchangeEarly?.(), // not in an older build
        ...timing,
      });
      const view: RelayRegistryView = new BuiltView({
        id,
        registry: broker,
        clock: SYSTEM_CLOCK,
        load: () => ({ connections: 1000, shed: 0 }),
        freshnessMs: 3 * REPAIR_INTERVAL_MS,
        exchanged() {},
      });
      await broker.start();
      hub.start();
      view.start();
      return {
        async stop() {
          hub.stop();
          await view.stop();
          await broker.stop();
        },
      };
    },
  };
}

/** Returns the CPU that a server uses without any relay, in microseconds a second. */
async function idleCpuUs(redis: RedisProcess): Promise<number> {
  const before = mainThreadCpuUs(redis.pid);
  await pause(REPAIR_INTERVAL_MS);
  return ((mainThreadCpuUs(redis.pid) - before) * 1000) / REPAIR_INTERVAL_MS;
}

/** Relays without clients, in this process. */
export class IdleRelays {
  readonly #servers: readonly RedisProcess[];
  /** The CPU of each server without relays, in microseconds a second. */
  readonly #withoutUs: readonly number[];
  readonly #cluster: Awaited<ReturnType<typeof createCluster>>;
  readonly #relays: IdleRelay[] = [];

  private constructor(
    servers: readonly RedisProcess[],
    withoutUs: readonly number[],
    cluster: Awaited<ReturnType<typeof createCluster>>,
  ) {
    this.#servers = servers;
    this.#withoutUs = withoutUs;
    this.#cluster = cluster;
  }

  /**
   * Prepares relays of a build.
   * @param env names the servers
   */
  static async of(
    build: string,
    servers: readonly RedisProcess[],
    env: Readonly<Record<string, string>>,
  ): Promise<IdleRelays> {
    const withoutUs = await Promise.all(servers.map(idleCpuUs));
    return new IdleRelays(servers, withoutUs, await createCluster(build, env));
  }

  /** Starts relays until there are `count`; resolves once each was fresh and has registered. */
  async grow(count: number): Promise<void> {
    while (this.#relays.length < count) {
      const first = this.#relays.length;
      const ids = Array.from({ length: Math.min(CONNECTING, count - first) }, (_, i) => `relay-${first + i}`);
      this.#relays.push(...(await Promise.all(ids.map((id) => this.#cluster.start(id)))));
    }
    await pause(WINDOW_MS); // until each has chosen the interval of its exchanges by the size of the cluster
  }

  /**
   * Returns what the relays add to the CPU of each server, in microseconds for each relay and second. A process of many relays may fall
   * behind its timers, so that the time of a relay counts by its probes: each repeats the SUBSCRIBE of its marker once. That of a build
   * without markers counts by the clock.
   */
  async measure(): Promise<readonly number[]> {
    const read = () =>
      Promise.all(
        this.#servers.map(async (redis) => ({ cpuUs: mainThreadCpuUs(redis.pid), calls: await readCommands(redis) })),
      );
    const before = await read();
    const startedMs = performance.now();
    await pause(WINDOW_MS);
    const after = await read();
    const seconds = (performance.now() - startedMs) / 1000;
    return after.map(({ cpuUs, calls }, i) => {
      const earlier = before[i] as (typeof before)[number];
      const since = calls.since(earlier.calls);
      const probes = (since.get('subscribe') ?? 0) + (since.get('ssubscribe') ?? 0);
      const addedUs = cpuUs - earlier.cpuUs - seconds * (this.#withoutUs[i] ?? 0);
      return addedUs / (probes > 0 ? (probes * REPAIR_INTERVAL_MS) / 1000 : this.#relays.length * seconds);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.stop()));
  }
}
