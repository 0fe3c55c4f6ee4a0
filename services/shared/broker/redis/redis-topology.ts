import calculateSlot from 'cluster-key-slot';
import type { Redis } from 'ioredis';
import { SYSTEM_CLOCK } from '../../clock.ts';
import type { Address, RedisConfig } from '../../config/redis-config.ts';
import { AppError } from '../../errors.ts';
import type { BrokerReport } from '../broker-report.ts';
import { createRedisClient } from './redis-client.ts';
import type { RedisKeys } from './redis-keys.ts';
import { RedisNode } from './redis-node.ts';
import { parseRefusal } from './redis-refusal.ts';
import { RedisSettings } from './redis-settings.ts';
import { fetchSlotMap, formatAddress, type SlotMap } from './redis-slot-map.ts';
import type { RedisSubscriber } from './redis-subscriber.ts';

/** The interval between refreshes of the slot map, in milliseconds: the regular one, and the one after a failure. */
const REFRESH_INTERVAL_MS = 5000;
const REFRESH_SOON_MS = 200;

/** The servers that hold the partitions, and the connections to them. */
export interface RedisTopology {
  /** Whether signals use sharded pub/sub (`SPUBLISH`). */
  readonly sharded: boolean;
  /**
   * Connects. Resolves once usable, or after the first attempt failed: then it keeps trying.
   * @throws {AppError} `settings_differ` if the cluster runs with other settings than this process
   */
  start(options: { subscribe: boolean }): Promise<void>;
  stop(): void;
  /**
   * Returns the connection to the server of a partition.
   * @throws {AppError} `broker_unavailable` while there is no usable one, `settings_differ` while the cluster runs with
   * other settings; the other two getters too
   */
  commands(partition: number): Redis;
  /** Returns the connection to the server of a key that belongs to no partition. */
  commandsForKey(key: string): Redis;
  /** Returns the connection for publishing to a partition. */
  publisher(partition: number): Redis;
  /** Returns the subscriber that carries a partition; undefined while its server is not known. */
  subscriber(partition: number): RedisSubscriber | undefined;
  /** Resolves once the server of the partition has acknowledged all of these channels, which belong to it. */
  subscribe(partition: number, channels: readonly string[]): Promise<void>;
  unsubscribe(partition: number, channels: readonly string[]): Promise<void>;
  /** Replaces the subscriber connection that carries the partition. */
  resetSubscription(partition: number): void;
  /** Reports that a call failed: Redis refused it, or its partition has moved to another server. */
  callFailed(cause: unknown): void;
}

/** Receives the events of a topology. */
export interface TopologyHandler {
  signal(channel: string, text: string): void;
  /** The subscriptions of these partitions have ended. */
  subscriptionsLost(partitions: readonly number[]): void;
  /** A connection that these partitions use was established. */
  connected(partitions: readonly number[]): void;
}

interface TopologyDeps {
  readonly config: RedisConfig;
  readonly keys: RedisKeys;
  readonly report: BrokerReport;
  /** Called if the settings of the cluster turn out to differ after the start, before they ever agreed. */
  readonly abort: (error: Error) => void;
  /** How long to wait for others before missing settings are stored, in milliseconds; undefined never stores them. */
  readonly storeSettingsAfterMs: number | undefined;
  /** Returns the number of relays in the cluster, 0 if that is not known. */
  readonly relays: () => number;
  /** Called for each new connection for commands, before it is used. */
  readonly prepare: (redis: Redis) => Promise<void>;
  readonly handler: TopologyHandler;
}

/** Creates the connections to a single Redis, Sentinel or Redis Cluster, as configured, without starting them. */
export function createRedisTopology(deps: TopologyDeps): RedisTopology {
  const { servers } = deps.config;
  return servers.kind === 'cluster' ? new RedisCluster(deps, servers.nodes) : new RedisSingle(deps);
}

/**
 * Makes a call to Redis.
 * @throws {AppError} `broker_unavailable` for every error of Redis or the connection; an `AppError` as it is
 */
export async function callRedis<T>(topology: Pick<RedisTopology, 'callFailed'>, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof AppError) {
      if (cause.cause !== undefined) topology.callFailed(cause.cause);
      throw cause;
    }
    topology.callFailed(cause);
    const refusal = parseRefusal(cause);
    const detail =
      refusal && refusal.reason !== 'other' ? `${refusal.explanation}; repeating the call is harmless` : undefined;
    throw new AppError('broker_unavailable', detail, { cause });
  }
}

function createSettings(deps: TopologyDeps, { sharded }: { sharded: boolean }): RedisSettings {
  const { config, keys, report, abort, storeSettingsAfterMs: storeAfterMs } = deps;
  const { partitions, database } = config;
  const key = keys.config();
  return new RedisSettings({ key, database, partitions, sharded, storeAfterMs, clock: SYSTEM_CLOCK, report, abort });
}

function reportRefusal(report: BrokerReport, cause: unknown): void {
  const refusal = parseRefusal(cause);
  if (refusal) report.commandRefused(refusal);
}

/** One server that holds every partition: a single Redis, or the current master of Sentinel. */
class RedisSingle implements RedisTopology {
  readonly sharded = false;
  readonly #node: RedisNode;
  readonly #settings: RedisSettings;
  readonly #relays: () => number;
  readonly #report: BrokerReport;

  constructor(deps: TopologyDeps) {
    const { config, prepare, report, handler } = deps;
    this.#relays = deps.relays;
    this.#report = report;
    this.#settings = createSettings(deps, { sharded: this.sharded });
    const all = Array.from({ length: config.partitions }, (_, partition) => partition);
    this.#node = new RedisNode({
      config,
      target: 'configured',
      sharded: this.sharded,
      settings: this.#settings,
      prepare,
      report,
      relays: deps.relays,
      handler: {
        signal: (channel, text) => handler.signal(channel, text),
        subscriptionsLost: () => handler.subscriptionsLost(all),
        connected: () => handler.connected(all),
        commandsLost() {},
      },
    });
  }

  start(options: { subscribe: boolean }): Promise<void> {
    this.#settings.keepConfirming(() => this.#node.commands.link, this.#relays);
    return this.#node.start(options);
  }

  stop(): void {
    this.#settings.stop();
    this.#node.stop();
  }

  commands(_partition: number): Redis {
    return this.#node.commands.redis();
  }

  commandsForKey(_key: string): Redis {
    return this.#node.commands.redis();
  }

  publisher(_partition: number): Redis {
    return this.#node.publisher.redis();
  }

  subscriber(_partition: number): RedisSubscriber {
    return this.#node.subscriber;
  }

  subscribe(_partition: number, channels: readonly string[]): Promise<void> {
    return this.#node.subscriber.subscribe(channels);
  }

  unsubscribe(_partition: number, channels: readonly string[]): Promise<void> {
    return this.#node.subscriber.unsubscribe(channels);
  }

  resetSubscription(_partition: number): void {
    this.#node.subscriber.reset();
  }

  callFailed(cause: unknown): void {
    reportRefusal(this.#report, cause);
  }
}

/**
 * Redis Cluster: the partitions on their masters, with connections of their own to each master. Never follows a
 * redirection: a call to the wrong node fails, and the slot map is refreshed. So no command is repeated without the
 * caller's knowledge, and nodes that fail separately share no connection.
 */
class RedisCluster implements RedisTopology {
  readonly sharded = true;
  readonly #config: RedisConfig;
  readonly #seeds: readonly Address[];
  readonly #keys: RedisKeys;
  readonly #settings: RedisSettings;
  readonly #relays: () => number;
  readonly #prepare: (redis: Redis) => Promise<void>;
  readonly #report: BrokerReport;
  readonly #handler: TopologyHandler;
  readonly #nodes = new Map<string, { address: Address; node: RedisNode }>();
  #map: SlotMap | undefined;
  /** The address of the master of each partition. */
  readonly #owners: (string | undefined)[];
  #subscribe = false;
  #timer: NodeJS.Timeout | undefined;
  #timerIsSoon = false;
  #refreshing: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: TopologyDeps, seeds: readonly Address[]) {
    const { config, keys, report, prepare, handler } = deps;
    this.#config = config;
    this.#seeds = seeds;
    this.#prepare = prepare;
    this.#keys = keys;
    this.#settings = createSettings(deps, { sharded: this.sharded });
    this.#relays = deps.relays;
    this.#report = report;
    this.#handler = handler;
    this.#owners = new Array(config.partitions).fill(undefined);
  }

  async start(options: { subscribe: boolean }): Promise<void> {
    this.#subscribe = options.subscribe;
    this.#settings.keepConfirming(() => this.#nodeOfKey(this.#keys.config())?.commands.link, this.#relays);
    await this.#refresh();
  }

  stop(): void {
    this.#stopped = true;
    this.#settings.stop();
    clearTimeout(this.#timer);
    for (const { node } of this.#nodes.values()) node.stop();
    this.#nodes.clear();
  }

  commands(partition: number): Redis {
    return this.#requireNode(partition).commands.redis();
  }

  commandsForKey(key: string): Redis {
    const node = this.#nodeOfKey(key);
    if (!node) throw new AppError('broker_unavailable');
    return node.commands.redis();
  }

  publisher(partition: number): Redis {
    return this.#requireNode(partition).publisher.redis();
  }

  subscriber(partition: number): RedisSubscriber | undefined {
    return this.#nodeOf(partition)?.subscriber;
  }

  async subscribe(partition: number, channels: readonly string[]): Promise<void> {
    const node = this.#requireNode(partition);
    await node.subscriber.subscribe(channels);
    // The partition may have moved meanwhile; the former master no longer carries its signals.
    if (node !== this.#nodeOf(partition)) throw new AppError('broker_unavailable');
  }

  async unsubscribe(partition: number, channels: readonly string[]): Promise<void> {
    await this.#nodeOf(partition)?.subscriber.unsubscribe(channels);
  }

  resetSubscription(partition: number): void {
    this.#nodeOf(partition)?.subscriber.reset();
  }

  callFailed(cause: unknown): void {
    reportRefusal(this.#report, cause);
    this.#refreshSoon();
  }

  #nodeOfKey(key: string): RedisNode | undefined {
    const address = this.#map?.ownerOf(calculateSlot(key));
    return address && this.#nodes.get(formatAddress(address))?.node;
  }

  #nodeOf(partition: number): RedisNode | undefined {
    const owner = this.#owners[partition];
    return owner === undefined ? undefined : this.#nodes.get(owner)?.node;
  }

  #requireNode(partition: number): RedisNode {
    const node = this.#nodeOf(partition);
    if (!node) throw new AppError('broker_unavailable');
    return node;
  }

  #partitionsOf(address: string): number[] {
    return [...this.#owners.keys()].filter((partition) => this.#owners[partition] === address);
  }

  #refreshSoon(): void {
    if (!this.#timerIsSoon) this.#schedule(REFRESH_SOON_MS);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timerIsSoon = delayMs === REFRESH_SOON_MS;
    this.#timer = setTimeout(() => {
      this.#timerIsSoon = false;
      this.#refresh().catch((error: Error) => this.#settings.abort(error));
    }, delayMs);
    this.#timer.unref();
  }

  /** Fetches the slot map and applies it. Rejects only if the settings of the cluster differ. */
  async #refresh(): Promise<void> {
    this.#refreshing ??= this.#followSlotMap().finally(() => {
      this.#refreshing = undefined;
      const complete = this.#owners.every((_, partition) => this.#nodeOf(partition)?.commands.link);
      this.#schedule(complete ? REFRESH_INTERVAL_MS : REFRESH_SOON_MS);
    });
    await this.#refreshing;
  }

  async #followSlotMap(): Promise<void> {
    const map = await this.#fetchFromAnyNode();
    if (!map || this.#stopped) return;
    this.#map = map;
    const moved: number[] = [];
    for (const partition of this.#owners.keys()) {
      const address = map.ownerOf(this.#keys.slot(partition));
      const owner = address && formatAddress(address);
      if (owner === this.#owners[partition]) continue;
      this.#owners[partition] = owner;
      moved.push(partition);
    }
    // Includes masters without a partition: they may hold the settings, or stored responses.
    const masters = new Map(map.masters.map((address) => [formatAddress(address), address]));
    const added = [...masters].filter(([owner]) => !this.#nodes.has(owner));
    const started = added.map(([owner, address]) => this.#addNode(owner, address));
    for (const [owner, { node }] of this.#nodes) {
      if (masters.has(owner)) continue;
      this.#nodes.delete(owner);
      node.stop();
    }
    if (moved.length > 0) this.#handler.subscriptionsLost(moved);
    await Promise.all(started);
    if (moved.length > 0) this.#handler.connected(moved);
  }

  #addNode(owner: string, address: Address): Promise<void> {
    const node = new RedisNode({
      config: this.#config,
      target: address,
      sharded: this.sharded,
      settings: this.#settings,
      prepare: this.#prepare,
      report: this.#report,
      relays: this.#relays,
      handler: {
        signal: (channel, text) => this.#handler.signal(channel, text),
        subscriptionsLost: () => {
          this.#handler.subscriptionsLost(this.#partitionsOf(owner));
          this.#refreshSoon();
        },
        connected: () => this.#handler.connected(this.#partitionsOf(owner)),
        commandsLost: () => this.#refreshSoon(),
      },
    });
    this.#nodes.set(owner, { address, node });
    return node.start({ subscribe: this.#subscribe });
  }

  /** Returns the slot map of the first node whose cluster state is ok: connected nodes first, then the seeds. */
  async #fetchFromAnyNode(): Promise<SlotMap | undefined> {
    for (const { address, node } of this.#nodes.values()) {
      const { link } = node.commands;
      const map = link && (await fetchSlotMap(link, address).catch(() => undefined));
      if (map) return map;
    }
    for (const address of this.#seeds) {
      const redis = createRedisClient(this.#config, address, 'heliograph-map');
      redis.on('error', (error: Error) => this.#report.linkFailed('commands', error.message));
      try {
        const isConnected = await redis.connect().then(
          () => true,
          () => false, // its `error` event says why
        );
        if (isConnected) return await fetchSlotMap(redis, address);
      } catch (error) {
        // The next seed may work. This one is down, or no node of Redis Cluster, or its ACL does not permit the question.
        if (error instanceof Error) this.#report.linkFailed('commands', error.message);
      } finally {
        redis.disconnect();
      }
    }
    return undefined;
  }
}
