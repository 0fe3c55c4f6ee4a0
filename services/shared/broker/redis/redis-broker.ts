import type { RedisConfig } from '../../config/redis-config.ts';
import type { Topic } from '../../update/topic.ts';
import { isVersion, type Update, type UpdateBody, type Version } from '../../update/update.ts';
import { decodeBody, decodeSignal } from '../../update/update-codec.ts';
import type { Broker, Digest, FeedHandler, Probe, Published, RelayLoad, Witness } from '../broker.ts';
import type { BrokerReport } from '../broker-report.ts';
import { RESPONSE_TTL_MS } from '../retention.ts';
import { RedisKeys } from './redis-keys.ts';
import { RedisProbes } from './redis-probes.ts';
import { RedisReceipts } from './redis-receipts.ts';
import { RedisRelays } from './redis-relays.ts';
import { RedisReplicatedPublisher } from './redis-replicated-publisher.ts';
import { BROKER_SCRIPTS, RedisScriptRunner, RedisScripts } from './redis-scripts.ts';
import { RESTORE_TIME_MS } from './redis-settings.ts';
import { callRedis, createRedisTopology, type RedisTopology } from './redis-topology.ts';

/** Calls to Redis that a reservation outlives: the one that reserves, and the one that publishes. */
const RESERVED_CALLS = 2;

/** Registers per round trip. */
const READ_BATCH = 500;

/** Versions per round trip: few enough that others do not wait for long. */
const VERSIONS_BATCH = 1000;

/** A broker in Redis: registers are hashes, signals use pub/sub, scripts assign versions. */
export class RedisBroker implements Broker {
  readonly partitions: number;
  readonly receipts: RedisReceipts;
  readonly #reservationTtlMs: number;
  readonly #keys: RedisKeys;
  readonly #topology: RedisTopology;
  readonly #scripts: RedisScripts;
  /** Undefined if no replicas are required. */
  readonly #replicatedPublisher: RedisReplicatedPublisher | undefined;
  readonly #probes: RedisProbes;
  readonly #relays: RedisRelays;
  #handler: FeedHandler | undefined;

  /**
   * @param deps.abort called if the settings of the cluster turn out to differ from `config` after the start, before they
   * ever agreed
   * @param deps.restoreTimeMs how long others have for restoring settings that Redis has lost, before this process stores
   * its own
   */
  constructor(deps: {
    config: RedisConfig;
    report: BrokerReport;
    abort: (error: Error) => void;
    restoreTimeMs?: number;
    monotonicMs?: () => number;
  }) {
    const { monotonicMs = () => performance.now(), restoreTimeMs = RESTORE_TIME_MS } = deps;
    const { partitions, waitReplicas, timeoutMs } = deps.config;
    this.partitions = partitions;
    this.#reservationTtlMs = RESERVED_CALLS * timeoutMs;
    const keys = new RedisKeys(deps.config);
    const runner = new RedisScriptRunner({ scripts: BROKER_SCRIPTS, report: deps.report });
    const topology = createRedisTopology({
      ...deps,
      prepare: (redis) => runner.load(redis),
      storeSettingsAfterMs: restoreTimeMs,
      relays: () => this.#relays.count,
      keys,
      handler: {
        signal: (channel, text) => this.#receive(channel, text),
        subscriptionsLost: (lost) => this.#handler?.watchesLost(lost),
        connected: (connected) => this.#connected(connected),
      },
    });
    const { dataTtlMs } = deps.config;
    const scripts = new RedisScripts({ keys, runner, sharded: topology.sharded, dataTtlMs, monotonicMs });
    this.#keys = keys;
    this.#topology = topology;
    this.#scripts = scripts;
    if (waitReplicas > 0) {
      this.#replicatedPublisher = new RedisReplicatedPublisher({ scripts, replicas: waitReplicas, timeoutMs });
    }
    this.#probes = new RedisProbes({ keys, topology, scripts, report: deps.report });
    this.#relays = new RedisRelays({ keys, topology, scripts, timeoutMs, monotonicMs });
    this.receipts = new RedisReceipts({ keys, topology, relays: this.#relays });
  }

  setFeedHandler(handler: FeedHandler): void {
    this.#handler = handler;
  }

  start(): Promise<void> {
    return this.#topology.start({ subscribe: this.#handler !== undefined });
  }

  async stop(): Promise<void> {
    this.#topology.stop();
  }

  partitionOf(topic: Topic): number {
    return this.#keys.partitionOf(topic);
  }

  async publish(topic: Topic, body: UpdateBody, witness: Witness): Promise<Published> {
    const [published] = await this.publishAll([topic], body, witness);
    return published as Published;
  }

  async publishAll(topics: readonly Topic[], body: UpdateBody, witness: Witness): Promise<readonly Published[]> {
    const [first] = topics;
    if (first === undefined) return [];
    const publisher = this.#replicatedPublisher ?? this.#scripts;
    return callRedis(this.#topology, () => {
      const redis = this.#topology.publisher(this.partitionOf(first));
      return publisher.publish(redis, { topics, body, witness });
    });
  }

  digest(partition: number, witness: Witness, cursor: Version): Promise<Digest> {
    return callRedis(this.#topology, () =>
      this.#scripts.digest(this.#topology.commands(partition), { partition, witness, cursor }),
    );
  }

  probe(partition: number, witness: Witness, waitMs: number): Promise<Probe> {
    return this.#probes.probe(partition, witness, waitMs);
  }

  async recentVersions(topics: readonly Topic[]): Promise<(Version | undefined)[]> {
    const versions = new Map<Topic, Version>();
    for (const [partition, group] of this.#byPartition(topics)) {
      for (let i = 0; i < group.length; i += VERSIONS_BATCH) {
        const batch = group.slice(i, i + VERSIONS_BATCH);
        const scores = await callRedis(this.#topology, () =>
          this.#topology.commands(partition).zmscore(this.#keys.recent(partition), ...batch),
        );
        batch.forEach((topic, place) => {
          const score = scores[place];
          if (score) versions.set(topic, Number(score));
        });
      }
    }
    return topics.map((topic) => versions.get(topic));
  }

  async watch(topics: readonly Topic[]): Promise<void> {
    await this.#perPartition(topics, (partition, channels) => this.#topology.subscribe(partition, channels));
  }

  async unwatch(topics: readonly Topic[]): Promise<void> {
    await this.#perPartition(topics, (partition, channels) => this.#topology.unsubscribe(partition, channels));
  }

  async read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    const registers: (Update | undefined)[] = [];
    for (let i = 0; i < topics.length; i += READ_BATCH) {
      const batch = topics.slice(i, i + READ_BATCH);
      registers.push(...(await Promise.all(batch.map((topic) => this.#readOne(topic)))));
    }
    return registers;
  }

  resetSubscription(partition: number): void {
    this.#topology.resetSubscription(partition);
  }

  async loadOrReserve(idempotencyKey: string, reservation: string): Promise<string | undefined> {
    const key = this.#keys.response(idempotencyKey);
    return await callRedis(this.#topology, async () => {
      const redis = this.#topology.commandsForKey(key);
      const reserved = await redis.set(key, reservation, 'PX', this.#reservationTtlMs, 'NX');
      if (reserved !== null) return undefined;
      return (await redis.get(key)) ?? (await this.loadOrReserve(idempotencyKey, reservation)); // it has just expired
    });
  }

  async releaseReservation(idempotencyKey: string, reservation: string): Promise<void> {
    const key = this.#keys.response(idempotencyKey);
    await callRedis(this.#topology, async () => {
      const redis = this.#topology.commandsForKey(key);
      // Not atomic: at worst it deletes a response that was stored in between, and a repeated call publishes again.
      if ((await redis.get(key)) === reservation) await redis.pexpire(key, 0); // the ACL has no DEL
    });
  }

  async storeResponse(idempotencyKey: string, response: string): Promise<void> {
    const key = this.#keys.response(idempotencyKey);
    await callRedis(this.#topology, () => this.#topology.commandsForKey(key).set(key, response, 'PX', RESPONSE_TTL_MS));
  }

  async exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]> {
    const { loads, queries } = await this.#relays.exchangeLoad(relayId, load);
    for (const query of queries) this.receipts.receive(query);
    return loads;
  }

  async #readOne(topic: Topic): Promise<Update | undefined> {
    const [[version, body], signal] = await callRedis(this.#topology, () => {
      const redis = this.#topology.commands(this.partitionOf(topic));
      const register = redis.hmget(this.#keys.register(topic), 'version', 'body');
      return Promise.all([register, redis.get(this.#keys.data(topic))]);
    });
    if (!version) return undefined;
    // A build without this key may have published since; and the update may be newer than the register, which was read before.
    const update = signal === null ? undefined : decodeSignal(topic, signal);
    if (update && update.version >= Number(version)) return update;
    return { topic, version: Number(version), ...decodeBody(body ?? '{}') };
  }

  async #perPartition(
    topics: readonly Topic[],
    call: (partition: number, channels: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const groups = [...this.#byPartition(topics)];
    await Promise.all(
      groups.map(([partition, group]) => {
        const channels = group.map((topic) => this.#keys.updateChannel(topic));
        return callRedis(this.#topology, () => call(partition, channels));
      }),
    );
  }

  #byPartition(topics: readonly Topic[]): Map<number, Topic[]> {
    const groups = new Map<number, Topic[]>();
    for (const topic of topics) {
      const partition = this.partitionOf(topic);
      const group = groups.get(partition);
      if (group) group.push(topic);
      else groups.set(partition, [topic]);
    }
    return groups;
  }

  #connected(partitions: readonly number[]): void {
    if (!this.#handler) {
      this.#relays.membership().catch(() => {}); // knows the registry from now on, so that its loss is noticed
      return;
    }
    for (const partition of partitions) {
      // Failures are harmless: digests contain the floor too, and receipt queries are repeated and stored.
      const channels = [this.#keys.floorChannel(partition), this.#keys.receiptChannel(partition)];
      this.#topology.subscribe(partition, channels).catch(() => {});
      this.#probes.prepare(partition);
    }
    this.#handler.linkUp();
  }

  #receive(name: string, text: string): void {
    const channel = this.#keys.parseChannel(name);
    if (channel?.kind === 'update') {
      const update = decodeSignal(channel.topic, text);
      if (update !== undefined) this.#handler?.deliver(update);
    } else if (channel?.kind === 'floor') {
      const [floor, raiseId] = text.split(' ');
      if (isVersion(Number(floor))) this.#handler?.raiseFloor(channel.partition, Number(floor), raiseId);
    } else if (channel?.kind === 'receipts') {
      this.receipts.receive(text);
    }
  }
}
