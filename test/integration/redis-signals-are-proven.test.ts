import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import type { PartitionState, Witness } from '../../services/shared/broker/broker.ts';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import { RedisProbes } from '../../services/shared/broker/redis/redis-probes.ts';
import { BROKER_SCRIPTS, RedisScriptRunner, RedisScripts } from '../../services/shared/broker/redis/redis-scripts.ts';
import { RedisSubscriber } from '../../services/shared/broker/redis/redis-subscriber.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function startRedis(...args: string[]): Promise<RedisProcess> {
  const redis = await RedisProcess.start({ args });
  stops.push(() => redis.stop());
  return redis;
}

/** Connects commands to one port, and a subscriber to another, as two links of a relay with one partition. */
async function connect(ports: { readonly commands: number; readonly subscriber: number }) {
  const keys = new RedisKeys({ prefix: randomPrefix(), partitions: 1 });
  const runner = new RedisScriptRunner({ scripts: BROKER_SCRIPTS, report: SILENT_REPORT });
  const scripts = new RedisScripts({ keys, runner, sharded: false, dataTtlMs: 1000, monotonicMs: () => 0 });
  const commands = new Redis(ports.commands);
  const signals: string[] = [];
  const events = { lost: 0, connected: 0 };
  let client = commands;
  const subscriber = new RedisSubscriber({
    connect() {
      client = new Redis({
        port: ports.subscriber,
        lazyConnect: true,
        autoResubscribe: false,
        enableOfflineQueue: false,
      });
      client.on('error', () => {});
      return client;
    },
    sharded: false,
    report: SILENT_REPORT,
    handler: {
      signal: (channel, text) => void signals.push(`${channel} ${text}`),
      subscriptionsLost() {
        events.lost += 1;
      },
      connected() {
        events.connected += 1;
      },
    },
  });
  const topology = { sharded: false, commands: () => commands, subscriber: () => subscriber, callFailed() {} };
  const probes = new RedisProbes({ keys, topology, scripts, report: SILENT_REPORT });
  stops.push(
    () => subscriber.stop(),
    () => commands.disconnect(),
  );
  subscriber.start();
  await eventually(() => expect(events.connected).toBe(1));
  probes.prepare(0);
  return {
    subscriber,
    signals,
    events,
    state: (witness: Witness) => probes.probe(0, witness, 0),
    meta: keys.meta(0),
    probe: async (waitMs = 2000) => (await probes.probe(0, { epoch: '', version: 0 }, waitMs)).signals,
    /** The client of the subscriber connection. */
    client: () => client,
    publish: (channel: string, text: string) => commands.publish(channel, text),
  };
}

describe('a probe of a partition in Redis', () => {
  it('proves that signals have arrived, whatever else is published, and delivers no marker', async () => {
    const redis = await startRedis();
    const { subscriber, signals, probe, publish } = await connect({ commands: redis.port, subscriber: redis.port });
    await subscriber.subscribe(['topic']);
    await eventually(async () => expect(await probe()).toBe('complete'));
    for (let i = 0; i < 10; i += 1) {
      await Promise.all([publish('topic', String(i)), publish('other', String(i))]);
      expect([await probe(), signals.at(-1)]).toEqual(['complete', `topic ${i}`]);
    }
    expect(signals).toHaveLength(10);
  });

  it('finds a connection that carries no signals at the second probe, although nothing is published', async () => {
    const redis = await startRedis();
    await using link = await TcpProxy.start(redis.port);
    const { subscriber, probe } = await connect({ commands: redis.port, subscriber: link.port });
    await eventually(async () => expect(await probe()).toBe('complete'));
    link.set('drops signals');
    expect(await probe(0)).toBe('unproven');
    expect(await probe(0)).toBe('lost');
    link.set('passes');
    subscriber.reset();
    await eventually(async () => expect(await probe()).toBe('complete'));
  });

  it('does not take a connection for deaf whose marker was late', async () => {
    const redis = await startRedis();
    await using link = await TcpProxy.start(redis.port);
    const { probe } = await connect({ commands: redis.port, subscriber: link.port });
    await eventually(async () => expect(await probe()).toBe('complete'));
    link.set('swallows');
    expect(await probe(0)).toBe('unproven');
    link.set('passes');
    await eventually(async () => expect(await probe()).toBe('complete'));
  });

  it('finds that the server has fewer subscriptions than it acknowledged', async () => {
    const redis = await startRedis();
    const { subscriber, client, probe } = await connect({ commands: redis.port, subscriber: redis.port });
    await subscriber.subscribe(['one', 'two', 'three']);
    await subscriber.unsubscribe(['three']);
    await eventually(async () => expect(await probe()).toBe('complete'));
    await client().unsubscribe('two'); // not by the subscriber: as if the server had dropped it
    expect(await probe()).toBe('lost');
  });

  it('repeats a subscription that was not acknowledged, and proves nothing while the server may have it or not', async () => {
    const redis = await startRedis();
    const { subscriber, client, signals, probe, publish } = await connect({
      commands: redis.port,
      subscriber: redis.port,
    });
    await eventually(async () => expect(await probe()).toBe('complete'));
    const send = client().subscribe.bind(client());
    const isLost = (channels: unknown[]) => channels.includes('one');
    client().subscribe = ((...channels: string[]) =>
      isLost(channels) ? Promise.reject(new Error('Command timed out')) : send(...channels)) as typeof send;
    await expect(subscriber.subscribe(['one'])).rejects.toThrow();
    expect([await probe(), await probe()]).toEqual(['unproven', 'unproven']);
    client().subscribe = send;
    expect(await probe()).toBe('complete');
    await publish('one', 'signal');
    expect([await probe(), signals]).toEqual(['complete', ['one signal']]);
  });

  it('repeats no subscription that the server has refused meanwhile, such as one in a slot that moved away', async () => {
    const redis = await startRedis();
    const { subscriber, client, probe } = await connect({ commands: redis.port, subscriber: redis.port });
    await eventually(async () => expect(await probe()).toBe('complete'));
    const send = client().subscribe.bind(client());
    let reply = new Error('Command timed out');
    client().subscribe = ((...channels: string[]) =>
      channels.includes('one') ? Promise.reject(reply) : send(...channels)) as typeof send;
    await expect(subscriber.subscribe(['one'])).rejects.toThrow();
    expect(await probe()).toBe('unproven');
    reply = Object.assign(new Error('MOVED 1 127.0.0.1:1'), { name: 'ReplyError' });
    expect([await probe(), await probe()].at(-1)).toBe('complete');
  });

  it('proves nothing by a marker that comes from another server, such as the master of a replica', async () => {
    const master = await startRedis('--repl-diskless-sync-delay', '0');
    const replica = await startRedis('--replicaof', '127.0.0.1', String(master.port));
    await eventually(async () => {
      expect(await askRedis(replica.port, 'INFO', 'replication')).toMatch(/master_link_status:up/);
    });
    const { subscriber, signals, probe, publish } = await connect({ commands: master.port, subscriber: replica.port });
    await subscriber.subscribe(['topic']);
    await publish('topic', 'replicated');
    await eventually(() => expect(signals).toEqual(['topic replicated']));
    expect([await probe(), await probe(), await probe()]).toEqual(['unproven', 'unproven', 'unproven']);
  });

  it('proves nothing by a marker on a connection that was replaced meanwhile', async () => {
    const redis = await startRedis();
    const { subscriber, events, probe } = await connect({ commands: redis.port, subscriber: redis.port });
    await eventually(async () => expect(await probe()).toBe('complete'));
    const proof = probe(0);
    subscriber.reset();
    expect(await proof).not.toBe('complete');
    expect(events.lost).toBe(1);
    await eventually(async () => expect(await probe()).toBe('complete'));
  });
});

describe('a probe by a relay that knows the state of the partition', () => {
  /** Returns the floor that a relay learns after `change`, minus the highest version that it knew. */
  async function floorAfter(change: (redis: RedisProcess, meta: string) => Promise<unknown>): Promise<number> {
    const redis = await startRedis('--appendonly', 'yes');
    const { state, meta } = await connect({ commands: redis.port, subscriber: redis.port });
    const first = await state({ epoch: '', version: 0 });
    const known = { epoch: first.epoch, version: first.last, raiseId: first.raiseId };
    for (let i = 0; i < 2; i += 1) expect((await state(known)).floor).toBe(first.floor);
    await change(redis, meta);
    const after = await eventually(() => state(known));
    return after.floor - known.version;
  }

  it('learns nothing new while nothing changes', async () => {
    expect(await floorAfter(async () => {})).toBeLessThanOrEqual(0);
  });

  it.each<[string, (redis: RedisProcess, meta: string) => Promise<unknown>]>([
    ['the data of the partition are deleted', ({ port }, meta) => askRedis(port, 'DEL', meta)],
    ['all data are deleted', ({ port }) => askRedis(port, 'FLUSHALL')],
    ['an older state of the data returns', ({ port }, meta) => askRedis(port, 'HINCRBY', meta, 'last', '-1')],
    [
      'the server restarts',
      async (redis) => {
        await redis.kill('SIGTERM');
        await redis.run();
      },
    ],
  ])('learns of a raised floor if %s', async (_, change) => {
    expect(await floorAfter(change)).toBeGreaterThan(0);
  });
});

describe('a probe of partitions in several slots, which declares the key of the first one only', () => {
  it('returns the state of each partition, again when it is known, and the states of others that changed', async () => {
    const redis = await startRedis();
    const client = new Redis(redis.port);
    stops.push(() => client.disconnect());
    const keys = new RedisKeys({ prefix: randomPrefix(), partitions: 4 });
    const runner = new RedisScriptRunner({ scripts: BROKER_SCRIPTS, report: SILENT_REPORT });
    const scripts = new RedisScripts({ keys, runner, sharded: true, dataTtlMs: 1000, monotonicMs: () => 0 });
    const partitions = [0, 1, 2, 3];
    type Lasting = Omit<PartitionState, 'base' | 'retainedSince'>;
    /** Leaves out what changes with the time. */
    const stateOf = ({ base: _, retainedSince: __, ...state }: PartitionState): Lasting => state;
    const read = async (partition: number) => {
      const witness = { epoch: '', version: 0 };
      const { changed: _, hasMore: __, ...state } = await scripts.digest(client, { partition, witness, cursor: 0 });
      return stateOf(state);
    };
    const states: Lasting[] = [];
    for (const partition of partitions) states.push(await read(partition));
    expect(new Set(states.map(({ floor }) => floor)).size).toBe(4);
    const probe = async () => {
      const known = states.map(({ epoch, last, raiseId }, i) => [i, { epoch, version: last, raiseId }] as const);
      const reply = await scripts.probe(client, { witnesses: known, marker: undefined });
      return reply.states.map(stateOf);
    };
    expect([await probe(), await probe()]).toEqual([states, states]);
    await askRedis(redis.port, 'DEL', keys.meta(2));
    const changed = await probe();
    expect(changed[2]?.floor).toBeGreaterThan(Math.max(...states.map(({ last }) => last)));
    expect(changed).toEqual(await Promise.all(partitions.map(read)));
  });
});
