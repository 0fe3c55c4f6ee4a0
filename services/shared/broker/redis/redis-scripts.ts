import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ChainableCommander, Redis } from 'ioredis';
import type { Topic } from '../../update/topic.ts';
import type { UpdateBody, Version } from '../../update/update.ts';
import { encodeBody } from '../../update/update-codec.ts';
import type { Digest, Published, Witness } from '../broker.ts';
import type { BrokerReport } from '../broker-report.ts';
import { DIGEST_LIMIT, LOAD_TTL_MS, RECENT_WINDOW_US, REGISTER_TTL_MS, RETENTION_US } from '../retention.ts';
import type { RedisKeys } from './redis-keys.ts';

/** A Lua script: its text, the digest by which Redis knows it, and its number of keys. */
export interface RedisScript {
  readonly lua: string;
  readonly sha1: string;
  readonly keys: number;
}

type ScriptArgument = string | number;

/** Reads a script, as the concatenation of files in `scripts/`. */
function readScript(names: readonly string[], keys: number): RedisScript {
  const files = names.map((name) => readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8'));
  const lua = files.join('');
  return { lua, sha1: createHash('sha1').update(lua).digest('hex'), keys };
}

/**
 * Runs Lua scripts by their digest. Loads them at connect by `SCRIPT LOAD`: Redis 7.4 and newer evict scripts that came
 * by `EVAL` when others run 500 of their own.
 */
export class RedisScriptRunner {
  readonly #scripts: readonly RedisScript[];
  readonly #report: BrokerReport;
  /** Connections whose user may not use `SCRIPT LOAD`. */
  readonly #refused = new WeakSet<Redis>();
  readonly #loading = new WeakMap<Redis, Promise<void>>();

  constructor(deps: { scripts: readonly RedisScript[]; report: BrokerReport }) {
    this.#scripts = deps.scripts;
    this.#report = deps.report;
  }

  /** Loads all scripts into the server of a connection, unless its user may not. */
  load(redis: Redis): Promise<void> {
    const loading = this.#loading.get(redis) ?? this.#load(redis).finally(() => this.#loading.delete(redis));
    this.#loading.set(redis, loading);
    return loading;
  }

  async run(redis: Redis, script: RedisScript, args: readonly ScriptArgument[]): Promise<unknown> {
    try {
      return await redis.evalsha(script.sha1, script.keys, ...args);
    } catch (error) {
      if (!isScriptMissing(error)) throw error;
      await this.load(redis);
      return await redis.eval(script.lua, script.keys, ...args);
    }
  }

  async #load(redis: Redis): Promise<void> {
    if (this.#refused.has(redis)) return;
    try {
      await Promise.all(this.#scripts.map(({ lua }) => redis.script('LOAD', lua)));
    } catch (error) {
      if (!(error instanceof Error && /^NOPERM|^ERR unknown (sub)?command/i.test(error.message))) throw error;
      this.#refused.add(redis);
      this.#report.scriptLoadRefused(error.message);
    }
  }
}

/** Returns whether Redis did not run a script because it does not have it. */
export function isScriptMissing(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

type PublishReply = [version: string, epoch: string, previous: string];
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

const PUBLISH = readScript(['server', 'epoch', 'publish'], 4);
const DIGEST = readScript(['server', 'epoch', 'digest'], 2);
const RELAYS = readScript(['relays'], 2);

/** The scripts of a broker. */
export const BROKER_SCRIPTS: readonly RedisScript[] = [PUBLISH, DIGEST, RELAYS];

/** Calls the Lua scripts: lays out their keys and arguments, and parses their replies. */
export class RedisScripts {
  readonly #keys: RedisKeys;
  readonly #runner: RedisScriptRunner;
  readonly #dataTtlMs: number;
  readonly #publishCommand: 'PUBLISH' | 'SPUBLISH';

  /** @param deps.dataTtlMs time after which `data` is deleted, in milliseconds */
  constructor(deps: { keys: RedisKeys; runner: RedisScriptRunner; sharded: boolean; dataTtlMs: number }) {
    this.#dataTtlMs = deps.dataTtlMs;
    this.#keys = deps.keys;
    this.#runner = deps.runner;
    this.#publishCommand = deps.sharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /** Publishes one update, see `BrokerPublisher.publish`. */
  async publish(redis: Redis, args: PublishArguments): Promise<Published> {
    return parsePublished(await this.#runner.run(redis, PUBLISH, this.#publishArguments(args)));
  }

  /**
   * Adds the same call to a pipeline. Parse its reply with `parsePublished`.
   * @param options.whole sends the script instead of its digest, which the server may not know
   */
  publishInPipeline(pipeline: ChainableCommander, args: PublishArguments, options: { whole: boolean }): void {
    const { lua, sha1, keys } = PUBLISH;
    const all = this.#publishArguments(args);
    if (options.whole) pipeline.eval(lua, keys, ...all);
    else pipeline.evalsha(sha1, keys, ...all);
  }

  /** Loads the scripts into a server that does not have them. */
  load(redis: Redis): Promise<void> {
    return this.#runner.load(redis);
  }

  /** Reads the digest of a partition, see `Broker.digest`. */
  async digest(
    redis: Redis,
    { partition, witness, cursor }: { partition: number; witness: Witness; cursor: Version },
  ): Promise<Digest> {
    const [epoch, floor, raiseId, last, base, retainedSince, completeAfter, rows] = (await this.#runner.run(
      redis,
      DIGEST,
      [
        this.#keys.meta(partition),
        this.#keys.recent(partition),
        ...this.#epochArguments(partition, witness),
        cursor,
        DIGEST_LIMIT,
        RETENTION_US,
        RECENT_WINDOW_US,
      ],
    )) as DigestReply;
    const changed = parseEntries(rows).map(([topic, version]) => ({ topic: topic as Topic, version: Number(version) }));
    return {
      epoch,
      floor: Number(floor),
      raiseId,
      isFirstFloor: raiseId.endsWith('.first'),
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
    redis: Redis,
    [id, text]: Entry,
  ): Promise<{ relays: readonly Entry[]; queries: readonly Entry[]; isNew: boolean }> {
    const [relays, queries, added] = (await this.#runner.run(redis, RELAYS, [
      this.#keys.relays(),
      this.#keys.receiptQueries(),
      id,
      text,
      LOAD_TTL_MS * 1000,
    ])) as RelaysReply;
    return { relays: parseEntries(relays), queries: parseEntries(queries), isNew: added > 0 };
  }

  /** Stores a receipt query; an empty text removes it. Returns the relays that have not expired. */
  async storeQuery(redis: Redis, [id, text]: Entry): Promise<readonly Entry[]> {
    const [, relays] = (await this.#runner.run(redis, RELAYS, [
      this.#keys.receiptQueries(),
      this.#keys.relays(),
      id,
      text,
      LOAD_TTL_MS * 1000,
    ])) as RelaysReply;
    return parseEntries(relays);
  }

  #publishArguments({ topic, body, witness }: PublishArguments): ScriptArgument[] {
    const partition = this.#keys.partitionOf(topic);
    const { data, ...rest } = body;
    return [
      this.#keys.meta(partition),
      this.#keys.register(topic),
      this.#keys.recent(partition),
      this.#keys.data(topic),
      ...this.#epochArguments(partition, witness),
      topic,
      this.#keys.updateChannel(topic),
      encodeBody(body),
      REGISTER_TTL_MS,
      RECENT_WINDOW_US,
      data === undefined ? '' : encodeBody(rest),
      this.#dataTtlMs,
    ];
  }

  /** The arguments of epoch.lua, with which every script on a partition begins. */
  #epochArguments(partition: number, { epoch, version, acknowledged, raiseId, promised }: Witness): ScriptArgument[] {
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
  const [version, epoch, previous] = reply as PublishReply;
  return { version: Number(version), epoch, previous: Number(previous) };
}

function parseEntries(rows: readonly string[]): Entry[] {
  return rows.flatMap((row, i): Entry[] => (i % 2 === 0 ? [[row, rows[i + 1] ?? '']] : []));
}
