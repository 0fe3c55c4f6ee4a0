import calculateSlot from 'cluster-key-slot';
import type { Address, RedisConfig } from '../../config/redis-config.ts';
import { AppError } from '../../errors.ts';
import type { BrokerReport } from '../broker-report.ts';
import type { RedisAgreement } from './redis-agreement.ts';
import { createRedisClient } from './redis-client.ts';
import { askSlotMap, formatAddress, type SlotMap } from './redis-cluster-map.ts';
import type { RedisKeys } from './redis-keys.ts';
import { RedisNode } from './redis-node.ts';
import type { ScriptedRedis } from './redis-scripts.ts';
import type { RedisTopology, TopologyHandler } from './redis-topology.ts';

/** How often to look whether slots have moved, in milliseconds: regularly, and when something does not work. */
const REFRESH_INTERVAL_MS = 5000;
const REFRESH_SOON_MS = 200;

/**
 * Redis Cluster: the partitions on their masters, a connection for commands and one for sharded pub/sub to each.
 * Never redirects a call: one that meets the wrong node fails, and the map is asked for anew. So nothing is
 * repeated behind its caller's back, and no connection is shared by nodes that may fail apart.
 */
export class RedisCluster implements RedisTopology {
  readonly sharded = true;
  readonly #config: RedisConfig;
  readonly #seeds: readonly Address[];
  readonly #keys: RedisKeys;
  readonly #agreement: RedisAgreement;
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

  constructor(deps: {
    config: RedisConfig;
    seeds: readonly Address[];
    keys: RedisKeys;
    agreement: RedisAgreement;
    report: BrokerReport;
    handler: TopologyHandler;
  }) {
    this.#config = deps.config;
    this.#seeds = deps.seeds;
    this.#keys = deps.keys;
    this.#agreement = deps.agreement;
    this.#report = deps.report;
    this.#handler = deps.handler;
    this.#owners = new Array(deps.config.partitions).fill(undefined);
  }

  async start(options: { subscribe: boolean }): Promise<void> {
    this.#subscribe = options.subscribe;
    await this.#refresh();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const { node } of this.#nodes.values()) node.stop();
    this.#nodes.clear();
  }

  commands(partition: number): ScriptedRedis {
    return this.#requireNode(partition).commands.redis();
  }

  commandsForKey(key: string): ScriptedRedis {
    const address = this.#map?.ownerOf(calculateSlot(key));
    const node = address && this.#nodes.get(formatAddress(address))?.node;
    if (!node) throw new AppError('broker_unavailable');
    return node.commands.redis();
  }

  publisher(partition: number): ScriptedRedis {
    return this.#requireNode(partition).publisher.redis();
  }

  async subscribe(partition: number, channels: readonly string[]): Promise<void> {
    const node = this.#requireNode(partition);
    await node.subscriber.subscribe(channels);
    // The master may have changed meanwhile, and its old connection does not carry these signals any more.
    if (node !== this.#nodeOf(partition)) throw new AppError('broker_unavailable');
  }

  async unsubscribe(partition: number, channels: readonly string[]): Promise<void> {
    await this.#nodeOf(partition)?.subscriber.unsubscribe(channels);
  }

  renew(partition: number): void {
    this.#nodeOf(partition)?.subscriber.renew();
  }

  failed(_error: unknown): void {
    this.#refreshSoon();
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
      this.#refresh().catch((error: Error) => this.#agreement.refuse(error));
    }, delayMs);
    this.#timer.unref();
  }

  /** Asks for the map and follows it. Rejects only where this process must not take part. */
  async #refresh(): Promise<void> {
    this.#refreshing ??= this.#followMap().finally(() => {
      this.#refreshing = undefined;
      const settled = this.#owners.every((_, partition) => this.#nodeOf(partition)?.commands.usable);
      this.#schedule(settled ? REFRESH_INTERVAL_MS : REFRESH_SOON_MS);
    });
    await this.#refreshing;
  }

  async #followMap(): Promise<void> {
    const map = await this.#askAnyone();
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
    // Also to masters without any partition: they may hold the settings, and answers to calls.
    const masters = new Map(map.masters.map((address) => [formatAddress(address), address]));
    const added = [...masters].filter(([owner]) => !this.#nodes.has(owner));
    const started = added.map(([owner, address]) => this.#addNode(owner, address));
    for (const [owner, { node }] of this.#nodes) {
      if (masters.has(owner)) continue;
      this.#nodes.delete(owner);
      node.stop();
    }
    if (moved.length > 0) this.#handler.lost(moved);
    await Promise.all(started);
    if (moved.length > 0) this.#handler.up(moved);
  }

  #addNode(owner: string, address: Address): Promise<void> {
    const node = new RedisNode({
      config: this.#config,
      target: address,
      sharded: this.sharded,
      agreement: this.#agreement,
      report: this.#report,
      handler: {
        signal: (channel, text) => this.#handler.signal(channel, text),
        lost: () => {
          this.#handler.lost(this.#partitionsOf(owner));
          this.#refreshSoon();
        },
        ready: () => this.#handler.up(this.#partitionsOf(owner)),
        commandsUp: () => this.#handler.up(this.#partitionsOf(owner)),
        commandsDown: () => this.#refreshSoon(),
      },
    });
    this.#nodes.set(owner, { address, node });
    return node.start({ subscribe: this.#subscribe });
  }

  /** The map as the first node says that is in good order: those we are connected to, then the seeds. */
  async #askAnyone(): Promise<SlotMap | undefined> {
    for (const { address, node } of this.#nodes.values()) {
      if (!node.commands.usable) continue;
      const answer = await askSlotMap(node.commands.redis(), address).catch(() => undefined);
      if (answer) return answer;
    }
    for (const address of this.#seeds) {
      const redis = createRedisClient(this.#config, address, 'heliograph-map');
      redis.on('error', (error: Error) => this.#report.linkFailed('commands', error.message));
      try {
        await redis.connect();
        return await askSlotMap(redis, address);
      } catch (error) {
        // The next one may know. That this is no Redis Cluster at all is worth saying.
        if (error instanceof Error && error.message.startsWith('ERR'))
          this.#report.linkFailed('commands', error.message);
      } finally {
        redis.disconnect();
      }
    }
    return undefined;
  }
}
