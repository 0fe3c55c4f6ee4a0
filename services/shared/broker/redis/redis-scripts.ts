import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { Topic } from '../../update/topic.ts';
import type { UpdateBody, Version } from '../../update/update.ts';
import { encodeBody } from '../../update/update-codec.ts';
import type { Digest, Published, Witness } from '../broker.ts';
import { DIGEST_LIMIT, LOAD_TTL_MS, RECENT_WINDOW_US, REGISTER_TTL_MS, RETENTION_US } from '../retention.ts';
import type { RedisKeys } from './redis-keys.ts';

type Argument = string | number;

/** A connection with our scripts as commands. `RedisScripts` calls them with the arguments that they take. */
export interface ScriptedRedis extends Redis {
  heliographPublish(...args: Argument[]): Promise<PublishReply>;
  heliographDigest(...args: Argument[]): Promise<DigestReply>;
  heliographRelays(...args: Argument[]): Promise<RelaysReply>;
}

/** A pipeline of a `ScriptedRedis`. */
export interface ScriptedPipeline {
  heliographPublish(...args: Argument[]): ScriptedPipeline;
  wait(replicas: number, timeoutMs: number): ScriptedPipeline;
  exec(): Promise<[error: Error | null, reply: unknown][] | null>;
}

type PublishReply = [version: string, epoch: string];
type DigestReply = [
  epoch: string,
  floor: string,
  raiseId: string,
  last: string,
  base: string,
  retainedSince: string,
  completeAfter: string,
  changed: string[],
];
type RelaysReply = [entries: string[], others: string[], added: number];

/** An update to publish. */
export interface PublishArguments {
  readonly topic: Topic;
  readonly body: UpdateBody;
  readonly witness: Witness;
}

/** An entry of the relay registry or of the stored receipt queries: its id and text. */
export type Entry = readonly [id: string, text: string];

/** Adds the scripts to a connection; ioredis loads them into servers that do not have them. */
export function withScripts(redis: Redis): ScriptedRedis {
  const epoch = readScript('epoch');
  redis.defineCommand('heliographPublish', { numberOfKeys: 3, lua: epoch + readScript('publish') });
  redis.defineCommand('heliographDigest', { numberOfKeys: 2, lua: epoch + readScript('digest') });
  redis.defineCommand('heliographRelays', { numberOfKeys: 2, lua: readScript('relays') });
  return redis as ScriptedRedis;
}

function readScript(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
}

/** Calls the Lua scripts: lays out their keys and arguments, and parses their replies. */
export class RedisScripts {
  readonly #keys: RedisKeys;
  readonly #publishCommand: 'PUBLISH' | 'SPUBLISH';

  constructor(deps: { keys: RedisKeys; sharded: boolean }) {
    this.#keys = deps.keys;
    this.#publishCommand = deps.sharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /** Publishes one update, see `BrokerPublisher.publish`. */
  async publish(redis: ScriptedRedis, args: PublishArguments): Promise<Published> {
    return parsePublished(await redis.heliographPublish(...this.#publishArguments(args)));
  }

  /** Adds the same call to a pipeline. Parse its reply with `parsePublished`. */
  publishInPipeline(pipeline: ScriptedPipeline, args: PublishArguments): void {
    pipeline.heliographPublish(...this.#publishArguments(args));
  }

  /** Reads the digest of a partition, see `Broker.digest`. */
  async digest(
    redis: ScriptedRedis,
    { partition, witness, cursor }: { partition: number; witness: Witness; cursor: Version },
  ): Promise<Digest> {
    const [epoch, floor, raiseId, last, base, retainedSince, completeAfter, rows] = await redis.heliographDigest(
      this.#keys.meta(partition),
      this.#keys.recent(partition),
      ...this.#epochArguments(partition, witness),
      cursor,
      DIGEST_LIMIT,
      RETENTION_US,
      RECENT_WINDOW_US,
    );
    const changed = parseEntries(rows).map(([topic, version]) => ({ topic: topic as Topic, version: Number(version) }));
    return {
      epoch,
      floor: Number(floor),
      raiseId,
      last: Number(last),
      base: Number(base),
      retainedSince: Number(retainedSince),
      completeAfter: Number(completeAfter),
      changed,
      hasMore: changed.length === DIGEST_LIMIT,
    };
  }

  /**
   * Stores an entry of the relay registry; an empty text removes it.
   * @returns the relays and receipt queries that have not expired, and whether this relay was not registered before
   */
  async storeRelay(
    redis: ScriptedRedis,
    [id, text]: Entry,
  ): Promise<{ relays: readonly Entry[]; queries: readonly Entry[]; isNew: boolean }> {
    const [relays, queries, added] = await redis.heliographRelays(
      this.#keys.relays(),
      this.#keys.receiptQueries(),
      id,
      text,
      LOAD_TTL_MS * 1000,
    );
    return { relays: parseEntries(relays), queries: parseEntries(queries), isNew: added > 0 };
  }

  /** Stores a receipt query; an empty text removes it. Returns the relays that have not expired. */
  async storeQuery(redis: ScriptedRedis, [id, text]: Entry): Promise<readonly Entry[]> {
    const [, relays] = await redis.heliographRelays(
      this.#keys.receiptQueries(),
      this.#keys.relays(),
      id,
      text,
      LOAD_TTL_MS * 1000,
    );
    return parseEntries(relays);
  }

  #publishArguments({ topic, body, witness }: PublishArguments): Argument[] {
    const partition = this.#keys.partitionOf(topic);
    return [
      this.#keys.meta(partition),
      this.#keys.register(topic),
      this.#keys.recent(partition),
      ...this.#epochArguments(partition, witness),
      topic,
      this.#keys.updateChannel(topic),
      encodeBody(body),
      REGISTER_TTL_MS,
      RECENT_WINDOW_US,
    ];
  }

  /** The arguments of epoch.lua, with which every script on a partition begins. */
  #epochArguments(partition: number, { epoch, version, acknowledged, raiseId, promised }: Witness): Argument[] {
    return [
      this.#publishCommand,
      this.#keys.floorChannel(partition),
      epoch,
      version,
      acknowledged ? 1 : 0,
      raiseId ?? '',
      promised?.publisher ?? '',
      promised?.version ?? 0,
    ];
  }
}

/** Parses the reply of the publish script. */
export function parsePublished(reply: unknown): Published {
  const [version, epoch] = reply as PublishReply;
  return { version: Number(version), epoch };
}

function parseEntries(rows: readonly string[]): Entry[] {
  return rows.flatMap((row, i): Entry[] => (i % 2 === 0 ? [[row, rows[i + 1] ?? '']] : []));
}
