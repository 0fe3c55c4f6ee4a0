import { askRedis } from '../support/redis-admin.ts';
import type { RedisProcess } from '../support/redis-process.ts';

/** The number of calls of each command, including those by scripts. */
export interface CommandCounts {
  count(...names: string[]): number;
  /** Returns the calls since another reading. */
  since(before: CommandCounts): ReadonlyMap<string, number>;
  readonly all: ReadonlyMap<string, number>;
}

/** Reads the counts of a server; the reading itself counts as `info`. */
export async function readCommands(redis: RedisProcess): Promise<CommandCounts> {
  const text = String(await askRedis(redis.url, 'INFO', 'commandstats'));
  const all = new Map(
    [...text.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name = '', calls]) => [name, Number(calls)]),
  );
  return {
    all,
    count: (...names) => names.reduce((sum, name) => sum + (all.get(name) ?? 0), 0),
    since: (before) =>
      new Map(
        [...all].map(([name, calls]) => [name, calls - (before.all.get(name) ?? 0)] as const).filter(([, n]) => n > 0),
      ),
  };
}
