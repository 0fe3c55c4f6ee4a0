import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { SILENT_REPORT } from '../../shared/broker/broker-report.ts';
import { RedisKeys } from '../../shared/broker/redis/redis-keys.ts';
import { createRedisTopology, type RedisTopology } from '../../shared/broker/redis/redis-topology.ts';
import type { RedisConfig } from '../../shared/config/redis-config.ts';
import { parseCalls, parsePart, parseProcess } from './parse-records.ts';
import type { MinuteOfCalls, ProcessRecord, StoredTrace } from './records.ts';
import {
  CALL_WINDOW_MINUTES,
  STORE_LIMITS,
  type StatsReport,
  type StatsStore,
  type StoreLimits,
  TRACE_BATCH_SIZE,
  WANTED_TOPICS,
  type WriteResult,
} from './stats-store.ts';

const SCRIPT = readFileSync(new URL('./scripts/write-stats.lua', import.meta.url), 'utf8');

interface WritingRedis extends Redis {
  heliographWriteStats(...args: (string | number)[]): Promise<[string, string, string, string[]]>;
}

/**
 * The store that all processes of a cluster share, in one slot of its Redis. It has links of its own, so that statistics
 * never delay an update.
 */
export class RedisStatsStore implements StatsStore {
  readonly #topology: RedisTopology;
  readonly #base: string;
  readonly #limits: StoreLimits;
  readonly #scripted = new WeakSet<Redis>();

  constructor(deps: { config: RedisConfig; limits?: StoreLimits }) {
    this.#limits = deps.limits ?? STORE_LIMITS;
    const config = { ...deps.config, waitReplicas: 0 };
    const handler = { signal() {}, subscriptionsLost() {}, connected() {} };
    const abort = () => {}; // the broker's connections detect it too, and end the process
    const storeSettingsAfterMs = undefined; // the broker's connections store them
    this.#topology = createRedisTopology({
      config,
      keys: new RedisKeys(config),
      report: SILENT_REPORT,
      abort,
      storeSettingsAfterMs,
      relays: () => 0,
      prepare: async () => {},
      handler,
    });
    this.#base = `${config.prefix}:{stats}:`;
  }

  async start(): Promise<void> {
    await this.#topology.start({ subscribe: false }).catch(() => {});
  }

  async stop(): Promise<void> {
    this.#topology.stop();
  }

  async write({ process, record, calls, parts, wanted }: StatsReport): Promise<WriteResult> {
    const limits = this.#limits;
    const [nowUs, traces, bytes, wantedIds] = await this.#attempt((redis) =>
      redis.heliographWriteStats(
        ...['traces', 'sizes', 'wanted', 'processes'].map((name) => this.#base + name),
        this.#base,
        limits.maxTraces,
        limits.maxBytes,
        limits.maxTraceBytes,
        limits.maxAgeMs,
        limits.wantedTtlMs,
        CALL_WINDOW_MINUTES * 60_000,
        limits.maxWanted,
        process,
        record,
        calls.size,
        ...[...calls].flat(),
        parts.length,
        ...parts.flatMap(({ traceId, text }) => [traceId, text]),
        wanted.length,
        ...wanted,
      ),
    );
    return { nowUs: Number(nowUs), wanted: wantedIds, traces: Number(traces), bytes: Number(bytes) };
  }

  async trace(id: string): Promise<StoredTrace> {
    const [trace] = await this.#read([id]);
    return trace ?? { id, parts: [] };
  }

  async *traces(): AsyncIterable<readonly StoredTrace[]> {
    // All ids at once: paging by rank would return some twice if others are added in between.
    const ids = await this.#attempt((redis) => redis.zrange(`${this.#base}traces`, '0', '-1', 'REV'));
    for (let i = 0; i < ids.length; i += TRACE_BATCH_SIZE) yield await this.#read(ids.slice(i, i + TRACE_BATCH_SIZE));
  }

  async processes(): Promise<readonly ProcessRecord[]> {
    const key = `${this.#base}processes`;
    const entries = Object.entries(await this.#attempt((redis) => redis.hgetall(key)));
    const atMs = (text: string) => Number(text.slice(0, text.indexOf(' '))) / 1000;
    const newestMs = Math.max(0, ...entries.map(([, text]) => atMs(text) || 0));
    const expired = entries
      .filter(([, text]) => !(atMs(text) > newestMs - this.#limits.processTtlMs))
      .map(([process]) => process);
    if (expired.length > 0) await this.#attempt((redis) => redis.hdel(key, ...expired));
    return entries
      .filter(([process]) => !expired.includes(process))
      .map(([, text]) => parseProcess(text.slice(text.indexOf(' ') + 1)))
      .filter((record) => record !== undefined);
  }

  async wantTopics(search: string): Promise<void> {
    await this.#attempt(async (redis) => {
      const [seconds, microseconds] = await redis.time();
      const nowUs = Number(seconds) * 1_000_000 + Number(microseconds);
      await redis.zadd(`${this.#base}wanted`, nowUs, WANTED_TOPICS + search);
    });
  }

  async calls(): Promise<readonly MinuteOfCalls[]> {
    const newest = Math.floor(Date.now() / 60_000) + 1; // clocks of other processes may be a little ahead
    const minutes = Array.from({ length: CALL_WINDOW_MINUTES + 1 }, (_, i) => newest - CALL_WINDOW_MINUTES + i);
    const texts = await this.#attempt((redis) =>
      Promise.all(minutes.map((minute) => redis.hvals(`${this.#base}calls:${minute}`))),
    );
    return minutes
      .map((minute, i) => ({ minute, calls: (texts[i] ?? []).flatMap(parseCalls) }))
      .filter(({ calls }) => calls.length > 0);
  }

  async endSession(id: string, leftMs: number): Promise<void> {
    await this.#attempt((redis) => redis.set(`${this.#base}ended:${id}`, '1', 'PX', Math.ceil(leftMs)));
  }

  async hasSessionEnded(id: string): Promise<boolean> {
    return (await this.#attempt((redis) => redis.get(`${this.#base}ended:${id}`))) !== null;
  }

  async #read(ids: readonly string[]): Promise<readonly StoredTrace[]> {
    const texts = await this.#attempt((redis) =>
      Promise.all(ids.map((id) => redis.lrange(`${this.#base}trace:${id}`, 0, -1))),
    );
    return ids.map((id, i) => ({
      id,
      parts: (texts[i] ?? []).map(parsePart).filter((part) => part !== undefined),
    }));
  }

  async #attempt<T>(call: (redis: WritingRedis) => Promise<T>): Promise<T> {
    try {
      return await call(this.#redis());
    } catch (error) {
      this.#topology.callFailed(error);
      throw error;
    }
  }

  #redis(): WritingRedis {
    const redis = this.#topology.commandsForKey(this.#base);
    if (!this.#scripted.has(redis)) {
      redis.defineCommand('heliographWriteStats', { numberOfKeys: 4, lua: SCRIPT });
      this.#scripted.add(redis);
    }
    return redis as unknown as WritingRedis;
  }
}
