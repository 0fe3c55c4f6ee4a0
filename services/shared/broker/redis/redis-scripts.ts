import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

type Argument = string | number;

/** Three keys and what the script calls its arguments. */
export type PublishArguments = [meta: string, register: string, recent: string, ...args: Argument[]];

/** The scripts as methods of a connection; ioredis loads them where the server does not have them. */
export interface ScriptedRedis extends Redis {
  heliographPublish(...args: PublishArguments): Promise<[version: string, history: string]>;
  heliographRelays(
    key: string,
    other: string,
    id: string,
    text: string,
    ttlUs: number,
  ): Promise<[entries: string[], others: string[], added: number]>;
  heliographDigest(
    meta: string,
    recent: string,
    ...args: Argument[]
  ): Promise<
    [
      history: string,
      floor: string,
      raise: string,
      last: string,
      base: string,
      retained: string,
      reach: string,
      changed: string[],
    ]
  >;
}

/** Adds the scripts to a connection. */
export function withScripts(redis: Redis): ScriptedRedis {
  const history = readScript('history');
  redis.defineCommand('heliographPublish', { numberOfKeys: 3, lua: history + readScript('publish') });
  redis.defineCommand('heliographDigest', { numberOfKeys: 2, lua: history + readScript('digest') });
  redis.defineCommand('heliographRelays', { numberOfKeys: 2, lua: readScript('relays') });
  return redis as ScriptedRedis;
}

function readScript(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
}
