import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { BrokerReport } from '../broker-report.ts';

/** A Lua script: its text, the digest by which Redis knows it, and its number of keys. */
export interface RedisScript {
  readonly lua: string;
  readonly sha1: string;
  readonly keys: number;
}

export type ScriptArgument = string | number;

/** Reads a script, as the concatenation of files in `scripts/`. */
export function readScript(names: readonly string[], keys: number): RedisScript {
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
