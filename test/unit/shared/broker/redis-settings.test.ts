import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import {
  RESTORE_TIME_MS,
  RedisSettings,
  type SettingsStore,
} from '../../../../services/shared/broker/redis/redis-settings.ts';
import { SeededRandom } from '../../../simulator/seeded-random.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const MEASURED_MS = 60_000;

/** Runs a cluster of relays for a minute, and returns when they read the settings. */
async function confirmationTimes(relays: number): Promise<readonly number[]> {
  const time = new VirtualTime();
  const random = new SeededRandom(relays);
  const readAtMs: number[] = [];
  const settings = Array.from({ length: relays }, (_, i) => {
    let stored: string | null = null;
    const store: SettingsStore = {
      async get() {
        readAtMs.push(time.nowMs);
        return stored;
      },
      async set(_key, value) {
        stored = value;
      },
    };
    const own = random.fork(i);
    const each = new RedisSettings({
      key: 'config',
      database: 0,
      partitions: 16,
      sharded: false,
      storeAfterMs: 0,
      clock: time.clock(() => own.next()),
      report: { settingsDiffer() {}, evictionPolicy() {} },
      abort() {},
    });
    // As relays that were started one after the other.
    time.after(random.between(0, 10_000), () => {
      void each.agree(store);
      each.keepConfirming(
        () => store,
        () => relays,
      );
    });
    return each;
  });
  await time.runFor(20_000);
  readAtMs.length = 0;
  await time.runFor(MEASURED_MS);
  for (const each of settings) each.stop();
  return readAtMs;
}

it.each([1, 10, 16, 17, 40, 160, 400, 1000])(
  'a cluster of %i relays always restores lost settings before a new process stores its own',
  async (relays) => {
    const times = await confirmationTimes(relays);
    const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] as number));
    expect(Math.max(...gaps)).toBeLessThan(RESTORE_TIME_MS);
  },
);

it('a relay of a large cluster reads the settings at most an eighth as often as one of a small cluster', async () => {
  const [few, many] = [await confirmationTimes(10), await confirmationTimes(200)];
  expect(many.length / 200).toBeLessThan(few.length / 10 / 8);
});

describe('the settings of a process', () => {
  const OWN = '{"partitions":16,"pubsub":"plain"}';
  const OTHER = '{"partitions":8,"pubsub":"plain"}';

  function createSettings(options: { sharded?: boolean; storeAfterMs?: number; database?: number } = {}) {
    const time = new VirtualTime();
    const events: unknown[] = [];
    const { sharded = false, storeAfterMs, database = 0 } = options;
    const settings = new RedisSettings({
      key: 'config',
      database,
      partitions: 16,
      sharded,
      storeAfterMs,
      clock: time.clock(),
      report: {
        settingsDiffer: (difference) => void events.push(difference),
        evictionPolicy: (policy) => void events.push(policy),
      },
      abort() {},
    });
    const redis = { stored: null as string | null, sets: 0, error: undefined as Error | undefined };
    const store: SettingsStore = {
      async get(key) {
        if (redis.error) throw redis.error;
        return key === 'config' ? redis.stored : null;
      },
      async set(_key, value, mode) {
        redis.sets += 1;
        if (mode === 'NX') redis.stored ??= value;
      },
    };
    return { time, settings, redis, store, events };
  }

  it('are stored by a new process after a while, unless another one stores its own', async () => {
    for (const other of [undefined, OTHER]) {
      const { time, settings, redis, store } = createSettings({ storeAfterMs: 1500 });
      const agreed = settings.agree(store).then(
        () => 'agreed',
        ({ code }) => code,
      );
      await time.runFor(1499);
      expect(redis.sets).toBe(0);
      if (other) redis.stored = other;
      await time.runFor(1);
      expect(await agreed).toBe(other ? 'settings_differ' : 'agreed');
      expect(redis.stored).toBe(other ?? OWN);
    }
  });

  it('are never stored by a process that only checks, and at once by one that has agreed', async () => {
    const checking = createSettings();
    await checking.settings.agree(checking.store);
    expect([checking.redis.stored, checking.redis.sets]).toEqual([null, 0]);
    checking.redis.stored = OWN;
    await checking.settings.agree(checking.store);
    checking.redis.stored = null;
    await checking.settings.agree(checking.store);
    expect([checking.settings.difference, checking.events]).toEqual([undefined, []]); // missing is not different
    const running = createSettings({ storeAfterMs: 1500 });
    running.redis.stored = OWN;
    await running.settings.agree(running.store);
    running.redis.stored = null;
    await running.settings.agree(running.store);
    expect(running.redis.stored).toBe(OWN);
  });

  it('that differ end a process that never agreed, and are reported by another one, until they agree again', async () => {
    const fresh = createSettings();
    fresh.redis.stored = OTHER;
    await expect(fresh.settings.agree(fresh.store)).rejects.toMatchObject({
      code: 'settings_differ',
      message: expect.stringMatching(/with \{"partitions":8.*this process with \{"partitions":16/),
    });
    const { settings, redis, store, events } = createSettings();
    redis.stored = OWN;
    await settings.agree(store);
    expect([settings.difference, events]).toEqual([undefined, []]);
    redis.stored = OTHER;
    for (let i = 0; i < 2; i += 1) await settings.agree(store);
    expect([settings.difference?.code, events]).toEqual([
      'settings_differ',
      [expect.stringContaining('"partitions":8')],
    ]);
    redis.stored = OWN;
    for (let i = 0; i < 2; i += 1) await settings.agree(store);
    expect([settings.difference, events.length, events[1]]).toEqual([undefined, 2, undefined]);
  });

  it('held by another node of Redis Cluster are left to that one; outside a cluster, the node is the wrong kind', async () => {
    for (const [sharded, outcome] of [
      [true, 'agreed'],
      [false, 'settings_differ'],
    ] as const) {
      const { settings, redis, store } = createSettings({ sharded });
      redis.error = new Error('MOVED 1 127.0.0.1:7');
      const agreed = settings.agree(store).then(
        () => 'agreed',
        ({ code }) => code,
      );
      expect(await agreed).toBe(outcome);
      redis.error = new Error('LOADING');
      await expect(settings.agree(store)).rejects.toBe(redis.error);
    }
  });

  it('are confirmed by a process that has agreed, while it has a connection, until it stops', async () => {
    const { time, settings, redis, store } = createSettings({ storeAfterMs: 1500 });
    settings.stop(); // before it has begun
    let link: SettingsStore | undefined = store;
    settings.keepConfirming(
      () => link,
      () => 0,
    );
    await time.runFor(10_000);
    expect(redis.sets).toBe(0); // as long as it has not agreed
    redis.stored = OWN;
    await settings.agree(store);
    redis.stored = null;
    link = undefined;
    await time.runFor(10_000);
    expect(redis.stored).toBe(null);
    link = store;
    await time.runFor(1000);
    expect(redis.stored).toBe(OWN);
    settings.stop();
    redis.stored = null;
    await time.runFor(10_000);
    expect(redis.stored).toBe(null);
  });

  it('name the kind of pub/sub', async () => {
    const { settings, redis, store } = createSettings({ storeAfterMs: 0, sharded: true, database: 2 });
    redis.stored = '{"partitions":16,"pubsub":"sharded"}';
    await settings.agree(store);
    expect(settings.difference).toBeUndefined();
    redis.stored = OWN;
    await settings.agree(store);
    expect(settings.difference?.code).toBe('settings_differ');
  });

  it('are checked on a master only, in the configured database, whose eviction policy is reported', async () => {
    const check = async (sections: Record<string, string>, options: { sharded?: boolean; database?: number } = {}) => {
      const { settings, redis, store, events } = createSettings(options);
      redis.stored = `{"partitions":16,"pubsub":"${options.sharded ? 'sharded' : 'plain'}"}`;
      const selected: number[] = [];
      const server = {
        ...store,
        select: async (database: number) => void selected.push(database),
        info: async (section: string) => sections[section] ?? '',
      };
      const failure = await settings.check(server as unknown as Redis).then(
        () => undefined,
        (error: Error & { code?: string }) => error.code ?? error.message,
      );
      return { failure, selected, events };
    };
    const master = { replication: 'role:master', memory: 'maxmemory_policy:allkeys-lru\r\n' };
    expect(await check(master)).toEqual({ failure: undefined, selected: [], events: ['allkeys-lru'] });
    expect(await check({ replication: 'role:master' }, { database: 3 })).toEqual({
      failure: undefined,
      selected: [3],
      events: [],
    });
    const replica = { replication: 'role:slave', cluster: 'cluster_enabled:0' };
    expect((await check(replica)).failure).toMatch(/^READONLY /);
    const node = { replication: 'role:slave', cluster: 'cluster_enabled:1' };
    expect((await check(node)).failure).toBe('settings_differ');
    expect((await check(node, { sharded: true })).failure).toMatch(/^READONLY /);
  });
});
