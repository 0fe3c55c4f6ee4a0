import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { RedisKeys } from '../../../../services/shared/broker/redis/redis-keys.ts';
import { type RedisScriptRunner, RedisScripts } from '../../../../services/shared/broker/redis/redis-scripts.ts';

it('a probe completes the state of a partition by the time of the server, or by its last version if that is later', async () => {
  const replies: string[][] = [];
  const runner = { run: async () => replies.shift() } as unknown as RedisScriptRunner;
  const keys = new RedisKeys({ prefix: 'test', partitions: 1 });
  const scripts = new RedisScripts({ keys, runner, sharded: false, dataTtlMs: 1000, monotonicMs: () => 0 });
  const hourUs = 3_600_000_000;
  const dayUs = 24 * hourUs;
  const probe = async (time: number, state: string, version: number) => {
    replies.push(['run.replication', String(time), state]);
    const witness = { epoch: 'epoch', version, raiseId: 'raise' };
    const { states } = await scripts.probe({} as Redis, { witnesses: [[0, witness]], marker: undefined });
    return states[0];
  };
  const last = 1000 * dayUs + 13 * hourUs;
  const state = {
    ...{ epoch: 'epoch', raiseId: 'raise', isFirstFloor: false, floor: 5, last, completeAfter: 7 },
    ...{ base: 1000 * dayUs + 12 * hourUs, retainedSince: 999 * dayUs + 13 * hourUs },
  };
  expect(await probe(last - hourUs, `5 ${last} 7`, last)).toEqual(state);
  expect(await probe(last + 12 * hourUs, '', last)).toEqual({
    ...state,
    base: 1001 * dayUs,
    retainedSince: 1000 * dayUs + hourUs,
  });
});
