import type { RedisConfig } from '../../config/redis-config.ts';
import { AppError } from '../../errors.ts';
import type { Topic } from '../../update/topic.ts';
import { isVersion, type Update, type UpdateBody, type Version } from '../../update/update.ts';
import { decodeBody, decodeSignal, encodeBody } from '../../update/update-codec.ts';
import type { Broker, Changed, Digest, FeedHandler, Published, RelayLoad, Witness } from '../broker.ts';
import type { BrokerReport } from '../broker-report.ts';
import { DIGEST_LIMIT, RECENT_WINDOW_US, REGISTER_TTL_MS, RESPONSE_TTL_MS, RETENTION_US } from '../retention.ts';
import { RedisKeys } from './redis-keys.ts';
import { RedisReceipts } from './redis-receipts.ts';
import { RedisRelays } from './redis-relays.ts';
import { RedisReplicatedPublisher } from './redis-replicated-publisher.ts';
import { createRedisTopology } from './redis-topologies.ts';
import type { RedisTopology } from './redis-topology.ts';

/** Registers in one round trip. */
const READ_BATCH = 500;

/** The broker that lives in Redis: registers in hashes, signals by pub/sub, versions from scripts. */
export class RedisBroker implements Broker {
  readonly partitions: number;
  readonly receipts: RedisReceipts;
  readonly #keys: RedisKeys;
  readonly #topology: RedisTopology;
  readonly #publisher: RedisReplicatedPublisher;
  readonly #relays: RedisRelays;
  #handler: FeedHandler | undefined;

  /** `refuse` is called where this process must not take part any more: its settings differ from the cluster's. */
  constructor(deps: { config: RedisConfig; report: BrokerReport; refuse: (error: Error) => void }) {
    this.partitions = deps.config.partitions;
    const { waitReplicas, timeoutMs } = deps.config;
    this.#publisher = new RedisReplicatedPublisher({ replicas: waitReplicas, timeoutMs });
    this.#keys = new RedisKeys(deps.config);
    this.#topology = createRedisTopology({
      ...deps,
      keys: this.#keys,
      handler: {
        signal: (channel, text) => this.#signal(channel, text),
        lost: (partitions) => this.#handler?.watchesLost(partitions),
        up: (partitions) => this.#up(partitions),
      },
    });
    const attempt = <T>(call: () => Promise<T>) => this.#attempt(call);
    const shared = { keys: this.#keys, topology: this.#topology, attempt };
    this.#relays = new RedisRelays({ ...shared, heard: (question) => this.receipts.signal(question) });
    this.receipts = new RedisReceipts({ ...shared, relays: this.#relays });
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
    const partition = this.partitionOf(topic);
    const [version, epoch] = await this.#attempt(() =>
      this.#publisher.publish(this.#topology.publisher(partition), [
        this.#keys.meta(partition),
        this.#keys.register(topic),
        this.#keys.recent(partition),
        ...this.#prologue(partition, witness),
        topic,
        this.#keys.updateChannel(topic),
        encodeBody(body),
        REGISTER_TTL_MS,
        RECENT_WINDOW_US,
      ]),
    );
    return { version: Number(version), epoch };
  }

  async digest(partition: number, witness: Witness, cursor: Version): Promise<Digest> {
    const [epoch, floor, raiseId, last, base, retained, reach, rows] = await this.#attempt(() =>
      this.#topology
        .commands(partition)
        .heliographDigest(
          this.#keys.meta(partition),
          this.#keys.recent(partition),
          ...this.#prologue(partition, witness),
          cursor,
          DIGEST_LIMIT,
          RETENTION_US,
          RECENT_WINDOW_US,
        ),
    );
    const changed: Changed[] = [];
    for (let i = 0; i + 1 < rows.length; i += 2) {
      changed.push({ topic: rows[i] as Topic, version: Number(rows[i + 1]) });
    }
    return {
      epoch,
      floor: Number(floor),
      raiseId,
      last: Number(last),
      base: Number(base),
      retainedSince: Number(retained),
      completeAfter: Number(reach),
      changed,
      hasMore: changed.length === DIGEST_LIMIT,
    };
  }

  async watch(topics: readonly Topic[]): Promise<void> {
    await this.#inPartitions(topics, (partition, channels) => this.#topology.subscribe(partition, channels));
  }

  async unwatch(topics: readonly Topic[]): Promise<void> {
    await this.#inPartitions(topics, (partition, channels) => this.#topology.unsubscribe(partition, channels));
  }

  async read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    const registers: (Update | undefined)[] = [];
    for (let i = 0; i < topics.length; i += READ_BATCH) {
      const batch = topics.slice(i, i + READ_BATCH);
      registers.push(...(await Promise.all(batch.map((topic) => this.#readOne(topic)))));
    }
    return registers;
  }

  async loadResponse(id: string): Promise<string | undefined> {
    const key = this.#keys.answer(id);
    return (await this.#attempt(() => this.#topology.commandsForKey(key).get(key))) ?? undefined;
  }

  async storeResponse(id: string, answer: string): Promise<void> {
    const key = this.#keys.answer(id);
    await this.#attempt(() => this.#topology.commandsForKey(key).set(key, answer, 'PX', RESPONSE_TTL_MS, 'NX'));
  }

  exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]> {
    return this.#relays.exchange(relayId, load);
  }

  resetSubscription(partition: number): void {
    this.#topology.renew(partition);
  }

  async #readOne(topic: Topic): Promise<Update | undefined> {
    const partition = this.partitionOf(topic);
    const [version, body] = await this.#attempt(() =>
      this.#topology.commands(partition).hmget(this.#keys.register(topic), 'version', 'body'),
    );
    return version ? { topic, version: Number(version), ...decodeBody(body ?? '{}') } : undefined;
  }

  async #inPartitions(
    topics: readonly Topic[],
    call: (partition: number, channels: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const channels = new Map<number, string[]>();
    for (const topic of topics) {
      const partition = this.partitionOf(topic);
      const list = channels.get(partition) ?? [];
      list.push(this.#keys.updateChannel(topic));
      channels.set(partition, list);
    }
    await Promise.all([...channels].map(([partition, list]) => this.#attempt(() => call(partition, list))));
  }

  /** Turns whatever Redis or the connection threw into the one error of the port. */
  async #attempt<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      this.#topology.failed(cause);
      throw new AppError('broker_unavailable', undefined, { cause });
    }
  }

  #prologue(partition: number, witness: Witness): (string | number)[] {
    return [
      this.#topology.sharded ? 'SPUBLISH' : 'PUBLISH',
      this.#keys.floorChannel(partition),
      witness.epoch,
      witness.version,
      witness.acknowledged ? 1 : 0,
      witness.raiseId ?? '',
    ];
  }

  #up(partitions: readonly number[]): void {
    if (!this.#handler) return;
    for (const partition of partitions) {
      // A failure harms nothing: digests bring every floor too, and who asks sees who does not answer.
      const channels = [this.#keys.floorChannel(partition), this.#keys.questionChannel(partition)];
      this.#topology.subscribe(partition, channels).catch(() => {});
    }
    this.#handler.linkUp();
  }

  #signal(channel: string, text: string): void {
    const source = this.#keys.parseChannel(channel);
    if (source === undefined) return;
    if (source === 'questions') return void this.receipts.signal(text);
    if ('floorOf' in source) {
      const [floor, raise] = text.split(' ');
      if (isVersion(Number(floor))) this.#handler?.raiseFloor(source.floorOf, Number(floor), raise);
      return;
    }
    const update = decodeSignal(source.topic, text);
    if (update !== undefined) this.#handler?.deliver(update);
  }
}
