import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Broker } from '../../services/shared/broker/broker.ts';
import { type LinkName, SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';
import { FakeSentinel } from '../support/fake-sentinel.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';

const topic = 'chat' as Topic;

describe('links to a master named by Sentinel', () => {
  let redis: RedisProcess;
  let sentinel: FakeSentinel;
  let broker: Broker;
  beforeAll(async () => {
    redis = await RedisProcess.start();
    sentinel = await FakeSentinel.start(redis.port);
    const env = { REDIS_SENTINELS: `127.0.0.1:${sentinel.port}`, REDIS_SENTINEL_NAME: 'heliograph' };
    broker = redisBrokers(env).connect();
    broker.setFeedHandler({ deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} });
    await broker.start();
  });
  afterAll(async () => {
    await broker?.stop();
    await sentinel?.stop();
    await redis?.stop();
  });

  it('reconnect even if a failover is announced while they query the master', async () => {
    await eventually(async () => {
      await broker.publish(topic, {}, { epoch: '', version: 0 });
      await broker.watch([topic]);
      expect(sentinel.subscribers).toBe(2);
    });
    sentinel.replies = false;
    await redis.kill();
    await eventually(() => expect(sentinel.pendingQueries).toBe(2));
    sentinel.switchMaster();
    await redis.run();
    sentinel.replies = true;
    sentinel.reply();
    await eventually(async () => {
      await broker.publish(topic, {}, { epoch: '', version: 0 });
      await broker.watch([topic]);
    });
  });

  it('move to the new master of a failover that is announced, although the former one still replies', async () => {
    await using other = await RedisProcess.start();
    sentinel.masterPort = other.port;
    await eventually(() => expect(sentinel.subscribers).toBe(2));
    sentinel.switchMaster();
    await eventually(async () => {
      await broker.publish(topic, {}, { epoch: '', version: 0 });
      expect(await askRedis(other.port, 'KEYS', `*:topic:${topic}`)).toHaveLength(1);
    });
    sentinel.masterPort = redis.port;
  });

  it('leave a former master that became a replica, although no failover is announced', async () => {
    await using other = await RedisProcess.start();
    await eventually(() => broker.publish(topic, {}, { epoch: '', version: 0 }));
    await askRedis(redis.port, 'REPLICAOF', '127.0.0.1', String(other.port));
    sentinel.masterPort = other.port;
    await eventually(async () => {
      await broker.publish(topic, {}, { epoch: '', version: 0 });
      expect(await askRedis(other.port, 'KEYS', `*:topic:${topic}`)).toHaveLength(1);
    });
    await askRedis(redis.port, 'REPLICAOF', 'NO', 'ONE');
    sentinel.masterPort = redis.port;
  });
});

describe('links to a Redis that fails', () => {
  const handler = { deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} };

  it('report why they cannot connect, each of them', async () => {
    await using redis = await RedisProcess.start();
    const reasons = new Map<string, string>();
    const report = {
      ...SILENT_REPORT,
      linkFailed: (link: LinkName, reason: string) => void reasons.set(link, reason),
    };
    const broker = redisBrokers({ REDIS_URL: redis.url, PUBLISH_WAIT_REPLICAS: '1' }, { report }).connect();
    broker.setFeedHandler(handler);
    await broker.start();
    await redis.kill();
    const refused = `connect ECONNREFUSED 127.0.0.1:${redis.port}`;
    await eventually(() =>
      expect(Object.fromEntries(reasons)).toEqual({ commands: refused, publisher: refused, subscriber: refused }),
    );
    await broker.stop();
  });

  it('carry proven signals again, once the topics are watched on the next connection', async () => {
    await using redis = await RedisProcess.start();
    const broker = redisBrokers({ REDIS_URL: redis.url, PARTITIONS: '1' }).connect();
    broker.setFeedHandler(handler);
    await broker.start();
    const requireProven = () =>
      eventually(async () => {
        await broker.watch([topic]);
        expect((await broker.probe(0, { epoch: '', version: 0 }, 2000)).signals).toBe('complete');
      });
    await requireProven();
    await askRedis(redis.port, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    await requireProven();
    await broker.stop();
  });
});

describe('links that a process closes', () => {
  it('are reported as down, as lost links are', async () => {
    const config = requireRedisConfig(
      new EnvReader({
        REDIS_URL: inject('redisUrl'),
        HELIOGRAPH_PREFIX: randomPrefix(),
        PUBLISH_WAIT_REPLICAS: '1', // gives publishing a link of its own
      }),
    );
    const links = new Map<string, number>();
    const count = (difference: number) => (link: string) => void links.set(link, (links.get(link) ?? 0) + difference);
    const report = { ...SILENT_REPORT, linkUp: count(1), linkDown: count(-1) };
    const broker = new RedisBroker({ config, report, abort() {} });
    broker.setFeedHandler({ deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} });
    await broker.start();
    await eventually(() => expect(Object.fromEntries(links)).toEqual({ commands: 1, publisher: 1, subscriber: 1 }));
    await broker.stop();
    await eventually(() => expect(Object.fromEntries(links)).toEqual({ commands: 0, publisher: 0, subscriber: 0 }));
  });
});
