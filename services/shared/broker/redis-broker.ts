import type { RedisConfig } from '../config/redis-config.ts';
import { AppError } from '../errors.ts';
import type { Topic } from '../update/topic.ts';
import type { Update, UpdateBody, Version } from '../update/update.ts';
import { decodeBody, decodeSignal, encodeBody } from '../update/update-codec.ts';
import type { Broker, Changed, Digest, FeedHandler, Published, Witness } from './broker.ts';
import type { BrokerReport } from './broker-report.ts';
import { RedisCommands } from './redis-commands.ts';
import { RedisKeys } from './redis-keys.ts';
import { RedisSubscriber } from './redis-subscriber.ts';
import { DIGEST_LIMIT, REACH_US, REGISTER_TTL_MS, RETENTION_US } from './retention.ts';

/** Registers in one round trip. */
const READ_BATCH = 500;
const SIGNAL_COMMAND = 'PUBLISH';

/** The broker that lives in Redis: registers in hashes, signals by pub/sub, versions from scripts. */
export class RedisBroker implements Broker {
  readonly partitions: number;
  readonly #keys: RedisKeys;
  readonly #commands: RedisCommands;
  readonly #subscriber: RedisSubscriber;
  #handler: FeedHandler | undefined;

  /** `refuse` is called where this process must not take part: its settings differ from the cluster's. */
  constructor(deps: { config: RedisConfig; report: BrokerReport; refuse: (error: Error) => void }) {
    const { config, report, refuse } = deps;
    this.partitions = config.partitions;
    this.#keys = new RedisKeys(config);
    this.#commands = new RedisCommands({
      config,
      keys: this.#keys,
      report,
      refuse,
      ready: () => this.#handler?.linkUp(),
    });
    this.#subscriber = new RedisSubscriber({
      config,
      report,
      handler: {
        signal: (channel, text) => this.#signal(channel, text),
        lost: () => this.#handler?.watchesLost(this.#allPartitions()),
        ready: () => this.#watchFloors(),
      },
    });
  }

  follow(handler: FeedHandler): void {
    this.#handler = handler;
  }

  async start(): Promise<void> {
    if (this.#handler) this.#subscriber.start();
    await this.#commands.start();
  }

  async stop(): Promise<void> {
    this.#subscriber.stop();
    this.#commands.stop();
  }

  partitionOf(topic: Topic): number {
    return this.#keys.partitionOf(topic);
  }

  async publish(topic: Topic, body: UpdateBody, witness: Witness): Promise<Published> {
    const partition = this.partitionOf(topic);
    const [version, history] = await attempt(
      this.#commands
        .redis()
        .heliographPublish(
          this.#keys.meta(partition),
          this.#keys.register(topic),
          this.#keys.recent(partition),
          ...this.#prologue(partition, witness),
          topic,
          this.#keys.updateChannel(topic),
          encodeBody(body),
          REGISTER_TTL_MS,
          REACH_US,
        ),
    );
    return { version: Number(version), history };
  }

  async digest(partition: number, witness: Witness, cursor: Version): Promise<Digest> {
    const [history, floor, last, base, retained, reach, rows] = await attempt(
      this.#commands
        .redis()
        .heliographDigest(
          this.#keys.meta(partition),
          this.#keys.recent(partition),
          ...this.#prologue(partition, witness),
          cursor,
          DIGEST_LIMIT,
          RETENTION_US,
          REACH_US,
        ),
    );
    const changed: Changed[] = [];
    for (let i = 0; i + 1 < rows.length; i += 2) {
      changed.push({ topic: rows[i] as Topic, version: Number(rows[i + 1]) });
    }
    return {
      history,
      floor: Number(floor),
      last: Number(last),
      base: Number(base),
      retained: Number(retained),
      reach: Number(reach),
      changed,
      more: changed.length === DIGEST_LIMIT,
    };
  }

  async watch(topics: readonly Topic[]): Promise<void> {
    await attempt(this.#subscriber.subscribe(topics.map((topic) => this.#keys.updateChannel(topic))));
  }

  async unwatch(topics: readonly Topic[]): Promise<void> {
    await attempt(this.#subscriber.unsubscribe(topics.map((topic) => this.#keys.updateChannel(topic))));
  }

  async read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    const registers: (Update | undefined)[] = [];
    for (let i = 0; i < topics.length; i += READ_BATCH) {
      const batch = topics.slice(i, i + READ_BATCH);
      const redis = this.#commands.redis();
      const rows = await attempt(
        Promise.all(batch.map((topic) => redis.hmget(this.#keys.register(topic), 'version', 'body'))),
      );
      batch.forEach((topic, j) => {
        const [version, body] = rows[j] ?? [];
        registers.push(version ? { topic, version: Number(version), ...decodeBody(body ?? '{}') } : undefined);
      });
    }
    return registers;
  }

  renew(_partition: number): void {
    this.#subscriber.renew();
  }

  #prologue(partition: number, witness: Witness): (string | number)[] {
    return [SIGNAL_COMMAND, this.#keys.floorChannel(partition), witness.history, witness.version];
  }

  #allPartitions(): number[] {
    return Array.from({ length: this.partitions }, (_, partition) => partition);
  }

  #watchFloors(): void {
    const channels = this.#allPartitions().map((partition) => this.#keys.floorChannel(partition));
    // A failure closes nothing worse: digests bring every floor, and a lost connection comes back here.
    this.#subscriber.subscribe(channels).catch(() => {});
    this.#handler?.linkUp();
  }

  #signal(channel: string, text: string): void {
    const source = this.#keys.parseChannel(channel);
    if (source === undefined) return;
    if ('floorOf' in source) {
      const floor = Number(text);
      if (Number.isSafeInteger(floor)) this.#handler?.raiseFloor(source.floorOf, floor);
      return;
    }
    const update = decodeSignal(source.topic, text);
    if (update !== undefined) this.#handler?.deliver(update);
  }
}

/** Turns whatever Redis or the connection threw into the one error of the port. */
async function attempt<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('broker_unavailable', undefined, { cause });
  }
}
