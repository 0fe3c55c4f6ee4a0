import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';
import { FakeSentinel } from '../support/fake-sentinel.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';

const topic = 'chat' as Topic;

describe('links to a master that Sentinel names', () => {
  let redis: RedisProcess;
  let sentinel: FakeSentinel;
  let broker: Broker;
  beforeAll(async () => {
    redis = await RedisProcess.start();
    sentinel = await FakeSentinel.start(redis.port);
    const env = { REDIS_SENTINELS: `127.0.0.1:${sentinel.port}`, REDIS_SENTINEL_NAME: 'heliograph' };
    broker = redisBrokers(env).connect();
    broker.follow({ deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} });
    await broker.start();
  });
  afterAll(async () => {
    await broker?.stop();
    await sentinel?.stop();
    await redis?.stop();
  });

  it('come back also where the news of a failover comes while they ask who is master', async () => {
    await eventually(async () => {
      await broker.publish(topic, {}, { history: '', version: 0 });
      await broker.watch([topic]);
      expect(sentinel.listening).toBe(2);
    });
    sentinel.answers = false;
    await redis.kill();
    await eventually(() => expect(sentinel.asking).toBe(2));
    sentinel.switchMaster();
    await redis.run();
    sentinel.answers = true;
    sentinel.answer();
    await eventually(async () => {
      await broker.publish(topic, {}, { history: '', version: 0 });
      await broker.watch([topic]);
    }, 5000);
  });
});
