import { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type Broker, NotReplicatedError } from '../../services/shared/broker/broker.ts';
import { type BrokerReport, SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import { REGISTER_TTL_MS, RETENTION_US } from '../../services/shared/broker/retention.ts';
import { parseTopic, type Topic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { updateBody } from '../support/update-body.ts';
import { describeBroker } from './broker-contract.ts';

const REDIS_URL = inject('redisUrl');

describeBroker('Redis', async () => redisBrokers({ REDIS_URL }));

describe('a register in Redis', () => {
  const prefix = randomPrefix();
  const topic = parseTopic('chat');
  let broker: Broker;
  beforeAll(async () => {
    broker = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix }).connect();
    await broker.start();
  });
  afterAll(() => broker?.stop());

  it('keeps data for DATA_RETENTION, and its version longer', async () => {
    const keys = new RedisKeys({ prefix, partitions: 4 });
    const short = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix, DATA_RETENTION: '1s' }).connect();
    await short.start();
    const body = { ...updateBody({ data: { n: 1 } }), spread: 5 };
    const { version } = await short.publish(topic, body, { epoch: '', version: 0 });
    expect(await broker.read([topic])).toEqual([{ topic, version, ...body }]);
    await eventually(async () => expect(await broker.read([topic])).toEqual([{ topic, version, spread: 5 }]));
    expect(Number(await askRedis(REDIS_URL, 'STRLEN', keys.data(topic)))).toBe(0);
    await short.stop();
  });

  it('is read as build 0.1.0 stored it, and stored as that build reads it', async () => {
    const keys = new RedisKeys({ prefix, partitions: 4 });
    const { version } = await broker.publish(topic, updateBody({ data: [1] }), { epoch: '', version: 0 });
    const stored = await askRedis(REDIS_URL, 'HGET', keys.register(topic), 'body');
    expect(JSON.parse(String(stored))).toEqual({});
    const later = version + 1;
    const body = '{"data":{"old":true},"traceparent":"00-x"}';
    await askRedis(REDIS_URL, 'HSET', keys.register(topic), 'version', String(later), 'body', body);
    expect(await broker.read([topic])).toEqual([{ topic, version: later, data: '{"old":true}', traceparent: '00-x' }]);
  });

  it('is kept for the retention by its version, even if the clock is behind the versions', async () => {
    for (const aheadMs of [0, 30 * 3600 * 1000]) {
      const seen = (Date.now() + aheadMs) * 1000;
      await broker.publish(topic, {}, { epoch: '', version: aheadMs === 0 ? 0 : seen });
      const leftMs = await askRedis(REDIS_URL, 'PTTL', new RedisKeys({ prefix, partitions: 4 }).register(topic));
      expect(Math.abs(Number(leftMs) - REGISTER_TTL_MS - aheadMs)).toBeLessThan(60_000);
    }
  });

  it('outlives the retention by half an hour at least, however often it is updated', async () => {
    const key = new RedisKeys({ prefix, partitions: 4 }).register(topic);
    const { version: first, epoch } = await broker.publish(topic, {}, { epoch: '', version: 0 });
    for (let minutes = 100 * 60; minutes < 103 * 60; minutes += 7) {
      const seen = { epoch, version: first + minutes * 60_000_000 };
      const { version } = await broker.publish(topic, {}, seen);
      const expiresAtUs = (Date.now() + Number(await askRedis(REDIS_URL, 'PTTL', key))) * 1000;
      expect(expiresAtUs - version).toBeGreaterThan(RETENTION_US + 1800 * 1_000_000);
    }
  });
});

describe('the floor in Redis', () => {
  const topic = parseTopic('chat');
  const partition = 0;
  const NOTHING_SEEN = { epoch: '', version: 0 };
  let redis: RedisProcess;
  let broker: Broker;
  beforeAll(async () => {
    redis = await RedisProcess.start({ args: ['--enable-debug-command', 'local', '--repl-diskless-sync-delay', '0'] });
    broker = redisBrokers({ REDIS_URL: redis.url, PARTITIONS: '1' }).connect();
    await broker.start();
  });
  afterAll(async () => {
    await broker?.stop();
    await redis?.stop();
  });

  const digest = () => broker.digest(partition, NOTHING_SEEN, 0);
  const replicationId = async () => /master_replid:(\w+)/.exec(String(await ask('INFO', 'replication')))?.[1];
  const ask = (...command: string[]) => askRedis(redis.port, ...command);

  it.each(['a caller that has seen nothing', 'the caller of the former raise'])(
    'is another one after a flush if the clock is behind, and %s comes first: clients may have its former value',
    async (first) => {
      const { epoch, last } = await digest();
      const witness = { epoch, version: last + 3_600_000_000 };
      await ask('FLUSHALL');
      const raise = async () => {
        if (first === 'a caller that has seen nothing') await digest();
        return broker.digest(partition, witness, 0);
      };
      const former = await raise();
      await ask('FLUSHALL');
      const raised = await raise();
      expect(raised.floor).toBeGreaterThan(witness.version);
      expect(raised.floor).not.toBe(former.floor);
      await ask('FLUSHALL');
    },
  );

  it('is the first one until a caller comes that knows earlier data, and after a loss of all data never', async () => {
    await ask('FLUSHALL');
    const first = await digest();
    expect(first.isFirstFloor).toBe(true);
    expect(await digest()).toMatchObject({ floor: first.floor, isFirstFloor: true });
    const witness = { epoch: 'another epoch', version: first.last - 1 };
    const raised = await broker.digest(partition, witness, 0);
    expect(raised.floor).toBeGreaterThan(first.floor);
    expect(raised.isFirstFloor).toBe(false);
    await ask('FLUSHALL');
    const { epoch, last: version } = raised;
    expect(await broker.digest(partition, { epoch, version }, 0)).toMatchObject({ isFirstFloor: false });
  });

  it('is below the base after half a day without updates, and later versions are above the base', async () => {
    await digest();
    const meta = String(await ask('KEYS', '*:meta'));
    const old = (Date.now() - 13 * 3_600_000) * 1000;
    await ask('HSET', meta, 'floor', String(old), 'last', String(old));
    const { floor, base, last } = await digest();
    expect([floor, last]).toEqual([old, base]);
    expect(base).toBeGreaterThan(old);
    expect(await ask('HGET', meta, 'last')).toBe(String(base)); // also if the clock goes back
    expect(await broker.probe(partition, NOTHING_SEEN, 0)).toMatchObject({ floor, base, last });
  });

  it('is raised if the process loads older data, and another publisher is the first to use them', async () => {
    const by = (publisher: string, version: number) => ({ promised: { publisher, version } });
    await digest();
    await ask('SAVE');
    const lost = await broker.publish(topic, {}, { ...NOTHING_SEEN, ...by('one', 0) });
    await ask('DEBUG', 'RELOAD', 'NOSAVE');
    await eventually(async () => {
      const other = await broker.publish(parseTopic('other'), {}, { ...NOTHING_SEEN, ...by('two', 0) });
      expect(other.version).toBeGreaterThan(lost.version);
    });
    expect((await digest()).floor).toBeLessThan(lost.version);
    const witness = { epoch: lost.epoch, version: lost.version, acknowledged: [1], ...by('one', lost.version) };
    expect((await broker.digest(partition, witness, 0)).floor).toBeGreaterThan(lost.version);
  });

  it('stays, like the epoch, if the first replica attaches and if the backlog expires after the last one', async () => {
    const before = await digest();
    const ids = [await replicationId()];
    await ask('CONFIG', 'SET', 'repl-backlog-ttl', '1');
    const replica = await RedisProcess.start({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
    await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/));
    ids.push(await replicationId());
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    await replica.stop();
    await eventually(async () => expect(ids).not.toContain(await replicationId()));
    expect(ids[1]).not.toBe(ids[0]);
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    const acknowledged = { epoch: before.epoch, version: before.last, acknowledged: [1] };
    expect((await broker.digest(partition, acknowledged, 0)).floor).toBe(before.floor);
    const ahead = { epoch: before.epoch, version: before.last + 1 };
    const raised = await broker.digest(partition, ahead, 0);
    expect(raised.epoch).toBe(before.epoch);
    expect(raised.floor).toBeGreaterThan(ahead.version);
  });

  it('stays if its record is one of an older release, also when the first replica attaches later', async () => {
    await ask('FLUSHALL');
    const before = await digest();
    const meta = String(await ask('KEYS', '*:meta'));
    await ask('HDEL', meta, 'server', 'loaded');
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    await using replica = await RedisProcess.start();
    await askRedis(replica.port, 'REPLICAOF', '127.0.0.1', String(redis.port));
    await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/));
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
  });

  it('is raised each time that a master was a replica meanwhile and lost updates, even if no script ran on the other one', async () => {
    // The second time, the number of keys that it loads is that of the first time.
    for (let round = 0; round < 2; round += 1) {
      const replica = ['--replicaof', '127.0.0.1', String(redis.port), '--repl-diskless-sync-delay', '0'];
      await using other = await RedisProcess.start({ args: replica });
      await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/));
      await askRedis(other.port, 'REPLICAOF', 'NO', 'ONE');
      const { version } = await broker.publish(topic, {}, NOTHING_SEEN);
      await ask('REPLICAOF', '127.0.0.1', String(other.port));
      await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/master_link_status:up/));
      await ask('REPLICAOF', 'NO', 'ONE');
      await eventually(async () => expect((await digest()).floor).toBeGreaterThan(version));
    }
  });
});

describe('a publish in Redis', () => {
  const topic = parseTopic('chat');
  const other = parseTopic('other');
  const NOTHING_SEEN = { epoch: '', version: 0 };
  const prefix = randomPrefix();
  const env = { HELIOGRAPH_PREFIX: prefix, PARTITIONS: '1' };
  /** Waits for 4 s at most. */
  const WAITING = { PUBLISH_WAIT_REPLICAS: '1', REDIS_TIMEOUT: '10s' };
  const start = (args: readonly string[] = []) =>
    RedisProcess.start({ args: ['--enable-debug-command', 'local', '--repl-diskless-sync-delay', '0', ...args] });
  const floorIn = async (redis: RedisProcess) => {
    const meta = new RedisKeys({ prefix, partitions: 1 }).meta(0);
    return Number(await askRedis(redis.port, 'HGET', meta, 'floor'));
  };
  const follow = async (replica: RedisProcess, master: RedisProcess) => {
    await askRedis(replica.port, 'REPLICAOF', '127.0.0.1', String(master.port));
    await eventually(async () =>
      expect(await askRedis(replica.port, 'INFO', 'replication')).toMatch(/master_link_status:up/),
    );
  };
  const promote = (replica: RedisProcess) => askRedis(replica.port, 'REPLICAOF', 'NO', 'ONE');

  /**
   * Connects a webhook's broker whose clock stands still; it has published just now, so that it knows its server.
   * @param options.topics those of which `publish` publishes an update each
   */
  async function connectPublisher(
    url: string,
    publisher = 'one',
    options: { topics?: readonly Topic[]; env?: Record<string, string>; report?: BrokerReport } = {},
  ) {
    const { topics = [topic], report = SILENT_REPORT } = options;
    const clock = { nowMs: 0 };
    const deps = { monotonicMs: () => clock.nowMs, report };
    const broker = redisBrokers({ ...env, ...options.env, REDIS_URL: url }, deps).connect();
    await broker.start();
    const newest = new Map<Topic, { epoch: string; version: number }>();
    let acknowledgements = 0;
    const publish = async () => {
      let published = NOTHING_SEEN;
      for (const each of topics) {
        const seen = newest.get(each) ?? NOTHING_SEEN;
        const promised = { publisher, version: seen.version };
        const acknowledged = acknowledgements > 0 ? { acknowledged: [acknowledgements] } : {};
        published = await broker.publish(each, {}, { ...seen, ...acknowledged, promised });
        newest.set(each, published);
        acknowledgements += 1;
      }
      return published;
    };
    await publish();
    await publish();
    return { broker, clock, publish };
  }

  it('reads INFO once a second and connection, not each time, also after its server got a replica', async () => {
    await using redis = await start();
    const { broker, clock, publish } = await connectPublisher(redis.url);
    const stats = async () => String(await askRedis(redis.port, 'INFO', 'commandstats'));
    const count = async () => Number(/cmdstat_info:calls=(\d+)/.exec(await stats())?.[1]);
    const counted = await count();
    let next = await count();
    const own = next - counted;
    const expectSections = async (sections: number) => {
      for (let i = 0; i < 10; i += 1) await publish();
      expect(await count()).toBe(next + own + sections);
      next += own + sections;
    };
    await expectSections(0);
    for (const [laterMs, sections] of [
      [1000, 2],
      [999, 0],
      [1, 2],
    ] as const) {
      clock.nowMs += laterMs;
      await expectSections(sections);
    }
    await using replica = await start();
    await follow(replica, redis);
    clock.nowMs += 1000;
    await publish(); // finds that only the replication id is another one
    clock.nowMs += 1000;
    await publish();
    next = await count();
    await expectSections(0);
    await broker.stop();
  });

  it('renews the time to live of a register at most once in ten minutes', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    for (let i = 0; i < 10; i += 1) await publish();
    const stats = String(await askRedis(redis.port, 'INFO', 'commandstats'));
    // Twice if the tests run at the end of ten minutes.
    expect(Number(/cmdstat_pexpire:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(2);
    await broker.stop();
  });

  it('assigns versions that are the time of the server, whether it reads INFO or not', async () => {
    await using redis = await start();
    const { broker, clock, publish } = await connectPublisher(redis.url);
    const timeUs = async () => {
      const [seconds, us] = (await askRedis(redis.port, 'TIME')) as [string, string];
      return Number(seconds) * 1_000_000 + Number(us);
    };
    for (const laterMs of [0, 0, 1000]) {
      clock.nowMs += laterMs;
      const beforeUs = await timeUs();
      const { version } = await publish();
      expect(version).toBeGreaterThanOrEqual(beforeUs);
      expect(version).toBeLessThanOrEqual(await timeUs());
    }
    await broker.stop();
  });

  it('forgets publishers that have published nothing for two days, at the digest of another publisher', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    const { version } = await publish();
    const meta = new RedisKeys({ prefix, partitions: 1 }).meta(0);
    const [old, recent] = [49, 47].map((hours) => String(version - hours * 3_600_000_000)) as [string, string];
    const gone = ['published:gone', old, 'covered:gone', `7 ${old}`];
    await askRedis(redis.port, 'HSET', meta, ...gone, 'published:idle', recent, 'covered:idle', `7 ${recent}`);
    const all = ((await askRedis(redis.port, 'HKEYS', meta)) as string[]).sort();
    await broker.digest(0, NOTHING_SEEN, 0); // of a relay
    expect(((await askRedis(redis.port, 'HKEYS', meta)) as string[]).sort()).toEqual(all);
    await broker.digest(0, { ...NOTHING_SEEN, promised: { publisher: 'one', version: 0 } }, 0);
    const left = all.filter((field) => !field.endsWith(':gone'));
    expect(((await askRedis(redis.port, 'HKEYS', meta)) as string[]).sort()).toEqual(left);
    expect(left).toEqual(expect.arrayContaining(['covered:idle', 'floor', 'last', 'published:idle', 'published:one']));
    await broker.stop();
  });

  it('sends the calls of one turn of the event loop with one system call', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    const [write, writeAll] = [vi.spyOn(Socket.prototype, '_write'), vi.spyOn(Socket.prototype, '_writev' as 'write')];
    await Promise.all(Array.from({ length: 10 }, publish));
    const chunks = [...write.mock.calls, ...writeAll.mock.calls].map(([chunk]) => JSON.stringify(chunk));
    vi.restoreAllMocks();
    expect(chunks.filter((text) => text.includes('evalsha'))).toHaveLength(1);
    await broker.stop();
  });

  it('raises the floor on another server, even if that has the same data and was reached within the second', async () => {
    await using master = await start();
    await using replica = await start();
    await follow(replica, master);
    let link = await TcpProxy.start(master.port);
    const { port } = link;
    const { broker, publish } = await connectPublisher(`redis://127.0.0.1:${port}`);
    const { version } = await publish();
    await eventually(async () => {
      const register = new RedisKeys({ prefix, partitions: 1 }).register(topic);
      expect(await askRedis(replica.port, 'HGET', register, 'version')).toBe(String(version));
    });
    await link.stop();
    await promote(replica);
    link = await TcpProxy.start(replica.port, port);
    await eventually(() => publish());
    expect(await floorIn(replica)).toBeGreaterThan(version);
    await broker.stop();
    await link.stop();
  });

  it('raises each floor within a second if its master was a replica meanwhile, and no script ran on the other one', async () => {
    await using master = await start();
    await using replica = await start();
    await follow(replica, master);
    const keys = new RedisKeys({ prefix, partitions: 2 });
    const all = Array.from({ length: 100 }, (_, n) => parseTopic(`topic-${n}`));
    const topics = [0, 1].map((partition) => all.find((each) => keys.partitionOf(each) === partition) as Topic);
    const options = { topics, env: { PARTITIONS: '2' } };
    const lost = await connectPublisher(master.url, 'one', options);
    const { broker, clock, publish } = await connectPublisher(master.url, 'two', options);
    const { version: known } = await publish();
    await eventually(async () => {
      expect(await askRedis(replica.port, 'HGET', keys.register(topics[1] as Topic), 'version')).toBe(String(known));
    });
    await promote(replica);
    const { version } = await lost.publish();
    await lost.broker.stop();
    await follow(master, replica);
    await promote(master);
    await publish();
    clock.nowMs += 1000;
    await publish(); // its first call reads INFO, and the second one relies on that
    for (const partition of [0, 1])
      expect(Number(await askRedis(master.port, 'HGET', keys.meta(partition), 'floor'))).toBeGreaterThan(version);
    await broker.stop();
  });

  it('raises the floor on the same connection if older data were loaded, and another publisher was first', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    await askRedis(redis.port, 'SAVE');
    const { version } = await publish();
    await askRedis(redis.port, 'DEBUG', 'RELOAD', 'NOSAVE');
    await connectPublisher(redis.url, 'two').then((two) => two.broker.stop());
    expect(await floorIn(redis)).toBeLessThan(version);
    await publish();
    expect(await floorIn(redis)).toBeGreaterThan(version);
    await broker.stop();
  });

  it('counts what a process has seen after Redis forgot the scripts, and after a flush', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    const { version } = await publish();
    await askRedis(redis.port, 'SCRIPT', 'FLUSH');
    const next = await publish();
    expect(next.version).toBeGreaterThan(version);
    expect(await floorIn(redis)).toBeLessThan(version);
    await askRedis(redis.port, 'FLUSHALL');
    await publish();
    expect(await floorIn(redis)).toBeGreaterThan(next.version);
    await broker.stop();
  });

  it('is sent once if Redis refuses it', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    await askRedis(redis.port, 'CONFIG', 'SET', 'maxmemory', '1');
    await askRedis(redis.port, 'CONFIG', 'RESETSTAT');
    await expect(publish()).rejects.toMatchObject({ code: 'broker_unavailable' });
    const stats = String(await askRedis(redis.port, 'INFO', 'commandstats'));
    expect(stats.match(/cmdstat_(eval|evalsha|script.load):calls=\d+/g)).toEqual(['cmdstat_evalsha:calls=1']);
    await broker.stop();
  });

  it('is sent whole to a Redis without the command to load scripts, which is reported once', async () => {
    await using redis = await start(['--rename-command', 'SCRIPT', '']);
    const reasons: string[] = [];
    const report = { ...SILENT_REPORT, scriptLoadRefused: (reason: string) => void reasons.push(reason) };
    const { broker, publish } = await connectPublisher(redis.url, 'one', { report });
    await publish();
    expect(reasons).toEqual([expect.stringContaining('ERR unknown command')]);
    await broker.stop();
  });

  it('waits until a replica has it, once for all calls that arrive meanwhile', async () => {
    await using master = await start();
    await using replica = await start();
    await follow(replica, master);
    const { broker, publish } = await connectPublisher(master.url, 'one', { env: WAITING });
    await askRedis(master.port, 'CONFIG', 'RESETSTAT');
    const topics = Array.from({ length: 50 }, (_, n) => parseTopic(`topic-${n}`));
    const published = await Promise.all(topics.map((each) => broker.publish(each, {}, NOTHING_SEEN)));
    const keys = new RedisKeys({ prefix, partitions: 1 });
    for (const [i, { version }] of published.entries())
      expect(await askRedis(replica.port, 'HGET', keys.register(topics[i] as Topic), 'version')).toBe(String(version));
    const stats = String(await askRedis(master.port, 'INFO', 'commandstats'));
    expect(Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1])).toBe(2); // the first call, and all others
    await askRedis(master.port, 'SCRIPT', 'FLUSH');
    const { version } = await publish();
    expect(await askRedis(replica.port, 'HGET', keys.register(topic), 'version')).toBe(String(version));
    await broker.stop();
  });

  it('fails if no replica has it in time, although it was published, and the next one waits again', async () => {
    await using master = await start();
    await using replica = await start();
    await follow(replica, master);
    const { broker, publish } = await connectPublisher(master.url, 'one', { env: WAITING });
    replica.freeze();
    const error = await publish().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    replica.thaw();
    expect(error).toBeInstanceOf(NotReplicatedError);
    const register = new RedisKeys({ prefix, partitions: 1 }).register(topic);
    const version = Number(await askRedis(master.port, 'HGET', register, 'version'));
    expect((error as NotReplicatedError).published.version).toBe(version);
    await eventually(async () => expect((await publish()).version).toBeGreaterThan(version));
    await broker.stop();
  });

  it('keeps a list of recent changes that covers two minutes and little more', async () => {
    await using redis = await start();
    const keys = new RedisKeys({ prefix, partitions: 1 });
    const { broker, publish } = await connectPublisher(redis.url);
    const { version, epoch } = await publish();
    const publishLater = async (seconds: number) => {
      const later = await broker.publish(other, {}, { epoch, version: version + seconds * 1_000_000 });
      const { completeAfter } = await broker.digest(0, NOTHING_SEEN, 0);
      expect(later.version - completeAfter).toBeGreaterThan(119_000_000);
      expect(later.version - completeAfter).toBeLessThan(155_000_000);
      return await askRedis(redis.port, 'ZSCORE', keys.recent(0), topic);
    };
    await publishLater(200);
    const again = await broker.publish(topic, {}, { epoch, version: version + 210 * 1_000_000 });
    expect(await publishLater(300)).toBe(String(again.version));
    expect(await publishLater(370)).toBe(null);
    await broker.stop();
  });
});
