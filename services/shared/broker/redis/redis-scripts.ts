import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ChainableCommander, Redis } from 'ioredis';
import type { Topic } from '../../update/topic.ts';
import type { UpdateBody, Version } from '../../update/update.ts';
import { encodeBody } from '../../update/update-codec.ts';
import type { Digest, PartitionState, Published, Witness } from '../broker.ts';
import type { BrokerReport } from '../broker-report.ts';
import {
  DIGEST_LIMIT,
  LOAD_TTL_MS,
  MAX_LISTED_RELAYS,
  MAX_TTL_DIFFERENCE_MS,
  RECENT_WINDOW_US,
  REGISTER_TTL_MS,
  RETENTION_US,
  relaySummaryTtlMs,
} from '../retention.ts';
import { KnownServers } from './known-servers.ts';
import { ProbedStates } from './probed-states.ts';
import type { RedisKeys } from './redis-keys.ts';

/** A Lua script: its text, and the digest by which Redis knows it. */
export interface RedisScript {
  readonly lua: string;
  readonly sha1: string;
}

/** The keys and arguments of one call of a script. */
export interface ScriptInput {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** Reads a file in `scripts/`. */
function readLua(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
}

/** Creates a script as the concatenation of its parts. */
function createScript(...parts: readonly string[]): RedisScript {
  const lua = parts.join('');
  return { lua, sha1: createHash('sha1').update(lua).digest('hex') };
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

  /** @param input called before each attempt, since another connection may be established in between */
  async run(redis: Redis, script: RedisScript, input: () => ScriptInput): Promise<unknown> {
    try {
      const { keys, args } = input();
      return await redis.evalsha(script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isScriptMissing(error)) throw error;
      await this.load(redis);
      const { keys, args } = input();
      return await redis.eval(script.lua, keys.length, ...keys, ...args);
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

/** The versions of each topic: the new one, and the one before. */
type PublishReply = [epoch: string, server: string, assignedBefore: string, ...versions: string[]];
type DigestReply = [changed: string[], ...state: string[]];
type RelaysReply = [queries: string[], relays: string[], registry: string, isIncomplete: number];
type ExchangeReply = [summary: string, queries: string[], registry: string];

/** Updates to publish, of topics of one partition. */
export interface PublishArguments {
  readonly topics: readonly Topic[];
  readonly body: UpdateBody;
  readonly witness: Witness;
}

/** A call of the publish script, to be sent at once on the connection for which it was created. */
export interface PublishCall {
  readonly input: ScriptInput;
  parse(reply: unknown): readonly Published[];
}

/** An entry of the relay registry or of the stored receipt queries: its id and text. */
export type Entry = readonly [id: string, text: string];

const EPOCH = `${readLua('server')}${readLua('epoch')}`;
/** Constants in the text of a script, so that calls do not carry them. */
const CONSTANTS = `local REGISTER_TTL_MS, RECENT_WINDOW_US = ${REGISTER_TTL_MS}, ${RECENT_WINDOW_US}\n`;
const CHECK_EPOCH = `local function check_epoch()\n${EPOCH}\nreturn now, epoch, floor, last, trimmed, server\nend\n`;
const PUBLISH = createScript(CONSTANTS, CHECK_EPOCH, readLua('publish'));
const DIGEST = createScript(EPOCH, readLua('state'), readLua('digest'));
const CHECK_PARTITION = `local function check_partition(KEYS, ARGV)
${readLua('epoch')}${readLua('state')}
return table.concat({
  epoch, integer(floor), raise_id, integer(last), integer(base), integer(time - retention), integer(complete_after),
}, ' ')
end
`;
const PROBE = createScript(readLua('server'), CHECK_PARTITION, readLua('probe'));
/**
 * The same for partitions in several slots of one server of Redis Cluster. It is not loaded at connect, since a server of
 * another kind may refuse the flags. With flags, a script that writes must also say that it may while memory is full.
 */
const PROBE_OF_SLOTS = createScript('#!lua flags=allow-oom,allow-cross-slot-keys\n', PROBE.lua);
/** Names the server, and the data that it has loaded. Only a former replica loses data with its replication id. */
const IDENTIFY = `local function identify()
${readLua('server')}
return run_id .. '.' .. loaded() .. (string.find(replication, 'master_replid2:0+%c') and '' or '.' .. server)
end
`;
const REGISTRY = `${IDENTIFY}${readLua('entries')}${readLua('registry')}`;
const RELAYS = createScript(REGISTRY, readLua('relays'));
const EXCHANGE = createScript(REGISTRY, readLua('exchange'));

/** The scripts of a broker. */
export const BROKER_SCRIPTS: readonly RedisScript[] = [PUBLISH, DIGEST, PROBE, RELAYS, EXCHANGE];

/** Calls the Lua scripts: lays out their keys and arguments, and parses their replies. */
export class RedisScripts {
  readonly #keys: RedisKeys;
  readonly #runner: RedisScriptRunner;
  readonly #servers: KnownServers;
  readonly #probed = new ProbedStates();
  readonly #dataTtlMs: number;
  readonly #sharded: boolean;
  readonly #publishCommand: 'PUBLISH' | 'SPUBLISH';

  /** @param deps.dataTtlMs time after which `data` is deleted, in milliseconds */
  constructor(deps: {
    keys: RedisKeys;
    runner: RedisScriptRunner;
    sharded: boolean;
    dataTtlMs: number;
    monotonicMs: () => number;
  }) {
    this.#servers = new KnownServers(deps);
    this.#dataTtlMs = deps.dataTtlMs;
    this.#keys = deps.keys;
    this.#runner = deps.runner;
    this.#sharded = deps.sharded;
    this.#publishCommand = deps.sharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /** Publishes updates, see `BrokerPublisher.publishAll`. */
  async publish(redis: Redis, args: PublishArguments): Promise<readonly Published[]> {
    let call: PublishCall | undefined;
    const reply = await this.#runner.run(redis, PUBLISH, () => {
      call = this.#createPublishCall(redis, args);
      return call.input;
    });
    return call?.parse(reply) ?? [];
  }

  /**
   * Adds the same call to a pipeline that is sent at once.
   * @param options.whole sends the script instead of its digest, which the server may not know
   * @returns parses its reply
   */
  publishInPipeline(
    pipeline: ChainableCommander,
    { redis, args, whole }: { redis: Redis; args: PublishArguments; whole: boolean },
  ): PublishCall['parse'] {
    const { input, parse } = this.#createPublishCall(redis, args);
    if (whole) pipeline.eval(PUBLISH.lua, input.keys.length, ...input.keys, ...input.args);
    else pipeline.evalsha(PUBLISH.sha1, input.keys.length, ...input.keys, ...input.args);
    return parse;
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
    const keys = [this.#keys.meta(partition), this.#keys.recent(partition)];
    const args = [...this.#epochArguments(partition, witness), RETENTION_US, RECENT_WINDOW_US, cursor, DIGEST_LIMIT];
    const [rows, ...state] = (await this.#runner.run(redis, DIGEST, () => ({ keys, args }))) as DigestReply;
    const changed = parseEntries(rows).map(([topic, version]) => ({ topic: topic as Topic, version: Number(version) }));
    return { ...parseState(state), changed, hasMore: changed.length === DIGEST_LIMIT };
  }

  /**
   * Checks partitions of one server, and publishes a marker after that, see `BrokerFeed.probe`.
   * @param options.witnesses all of the same epoch
   * @param options.marker undefined publishes none
   * @returns the run id of the server, and the states of the partitions in their order
   */
  async probe(
    redis: Redis,
    options: {
      witnesses: readonly (readonly [partition: number, Witness])[];
      marker: { readonly channel: string; readonly text: string } | undefined;
    },
  ): Promise<{ runId: string; states: readonly PartitionState[] }> {
    const { witnesses, marker } = options;
    const [first] = witnesses;
    if (!first) throw new TypeError('a probe needs a partition');
    const [partition, { epoch }] = first;
    const names = witnesses.map(([each]) => this.#keys.meta(each));
    const ofSlots = this.#sharded && witnesses.length > 1;
    const [keys, undeclared] = ofSlots ? [names.slice(0, 1), names.slice(1)] : [names, []];
    const args = [
      this.#publishCommand,
      marker?.channel ?? '',
      marker?.text ?? '',
      RETENTION_US,
      RECENT_WINDOW_US,
      this.#keys.floorChannel(partition),
      epoch,
      this.#probed.serverOf(witnesses),
      ...witnesses.flatMap(([, { version, raiseId }]) => [version, raiseId ?? '']),
      ...undeclared,
    ];
    const known = witnesses.map(([each]) => this.#probed.of(each)); // another probe may replace them before the reply
    const reply = await this.#runner.run(redis, ofSlots ? PROBE_OF_SLOTS : PROBE, () => ({ keys, args }));
    const [server = '', time, ...texts] = reply as string[];
    const states = witnesses.map(([each, witness], i) => {
      const state = parseProbed(texts[i] ?? '', { timeUs: Number(time), witness, known: known[i] });
      this.#probed.learn(each, { server, state });
      return state;
    });
    return { runId: server.replace(/\..*/, ''), states };
  }

  /**
   * Stores an entry of the relay registry; an empty text removes it.
   * @param known.relays the number of relays at the last exchange, 0 if that is not known
   * @param known.registry the registry that this process knows, '' if none
   * @param known.maxAgeMs how long ago this relay has stored its entry at most; undefined if it may have none
   * @returns the texts of all entries, or of groups of them in a large cluster; the receipt queries; and the registry
   */
  async storeRelay(
    redis: Redis,
    [id, text]: Entry,
    known: { readonly relays: number; readonly registry: string; readonly maxAgeMs: number | undefined },
  ): Promise<{ relays: readonly string[]; queries: readonly Entry[]; registry: string }> {
    const keys = [this.#keys.relays(), this.#keys.receiptQueries(), this.#keys.relaySummary(), this.#keys.registry()];
    const maxAgeUs = known.maxAgeMs === undefined ? '' : Math.ceil(known.maxAgeMs * 1000);
    const limits = [LOAD_TTL_MS * 1000, MAX_LISTED_RELAYS, relaySummaryTtlMs(known.relays)];
    const args = [id, text, ...limits, known.registry, maxAgeUs];
    const reply = await this.#runner.run(redis, EXCHANGE, () => ({ keys, args }));
    const [summary, queries, registry] = reply as ExchangeReply;
    const lines = summary.slice(summary.indexOf(' ') + 1);
    return { relays: lines === '' ? [] : lines.split('\n'), queries: parseEntries(queries), registry };
  }

  /**
   * Stores a receipt query; an empty text removes it.
   * @param known the registry that this process knows, '' if none
   * @returns the relays that have not expired; the registry; and whether it has lost relays that may not be registered again
   */
  async storeQuery(
    redis: Redis,
    [id, text]: Entry,
    known: string,
  ): Promise<{ relays: readonly Entry[]; registry: string; isIncomplete: boolean }> {
    const keys = [this.#keys.receiptQueries(), this.#keys.relays(), this.#keys.registry()];
    const args = [id, text, LOAD_TTL_MS * 1000, known, MAX_TTL_DIFFERENCE_MS * 1000];
    const reply = await this.#runner.run(redis, RELAYS, () => ({ keys, args }));
    const [, relays, registry, isIncomplete] = reply as RelaysReply;
    return { relays: parseEntries(relays), registry, isIncomplete: isIncomplete === 1 };
  }

  #createPublishCall(redis: Redis, { topics, body, witness }: PublishArguments): PublishCall {
    const server = this.#servers.of(redis);
    const [first] = topics;
    if (first === undefined) throw new TypeError('an update needs a topic');
    const partition = this.#keys.partitionOf(first);
    const keys = [this.#keys.meta(partition), this.#keys.recent(partition)];
    for (const topic of topics) keys.push(this.#keys.register(topic));
    const name = server.name === witness.epoch && server.name !== '' ? '=' : server.name;
    const args = [...this.#epochArguments(partition, witness), name, encodeBody(body)];
    const { data, ...rest } = body;
    if (data !== undefined) {
      for (const topic of topics) keys.push(this.#keys.data(topic));
      args.push(encodeBody(rest), this.#dataTtlMs);
    }
    return {
      input: { keys, args },
      parse(reply) {
        const [epoch, read, assignedBefore, ...versions] = reply as PublishReply;
        server.learn(read);
        return topics.map((_, i) => ({
          version: Number(versions[2 * i]),
          epoch: epoch || witness.epoch,
          previous: Number(versions[2 * i + 1]),
          assignedBefore: Number(assignedBefore),
        }));
      },
    };
  }

  /** The arguments of epoch.lua, with which every script on a partition begins. */
  #epochArguments(
    partition: number,
    { epoch, version, acknowledged, raiseId, promised }: Witness,
  ): (string | number)[] {
    return [
      this.#publishCommand,
      this.#keys.floorChannel(partition),
      epoch,
      version,
      acknowledged?.join(' ') ?? '',
      raiseId ?? '',
      promised?.publisher ?? '',
      promised?.version ?? 0,
    ];
  }
}

/** Parses the state of a partition, in the order of the scripts' replies. */
function parseState(values: readonly string[]): PartitionState {
  const [epoch = '', floor, raiseId = '', last, base, retainedSince, completeAfter] = values;
  return {
    epoch,
    floor: Number(floor),
    raiseId,
    isFirstFloor: isFirstRaise(raiseId),
    last: Number(last),
    base: Number(base),
    retainedSince: Number(retainedSince),
    completeAfter: Number(completeAfter),
  };
}

/**
 * Parses the state of a probed partition. The script leaves out values that the caller knows or that follow from the time.
 * @param options.known the state at an earlier probe, which an empty text confirms
 */
function parseProbed(
  text: string,
  { timeUs, witness, known }: { timeUs: number; witness: Witness; known: PartitionState | undefined },
): PartitionState {
  const values = text.split(' ');
  if (values.length > 3) return parseState(values);
  const [floor, last, completeAfter] =
    text === '' && known
      ? [known.floor, known.last, known.completeAfter]
      : (values.map(Number) as [number, number, number]);
  const { epoch, raiseId = '' } = witness;
  const latestUs = Math.max(timeUs, last);
  return {
    epoch,
    floor,
    raiseId,
    isFirstFloor: isFirstRaise(raiseId),
    last,
    base: latestUs - (latestUs % (RETENTION_US / 2)),
    retainedSince: latestUs - RETENTION_US,
    completeAfter,
  };
}

function isFirstRaise(raiseId: string): boolean {
  return raiseId.endsWith('.first');
}

function parseEntries(rows: readonly string[]): Entry[] {
  return rows.flatMap((row, i): Entry[] => (i % 2 === 0 ? [[row, rows[i + 1] ?? '']] : []));
}
