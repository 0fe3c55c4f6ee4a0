import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { CLIENTS_OF_A_RELAY, ObservedCluster } from '../support/observed-cluster.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const AOF = ['--appendonly', 'yes', '--appendfsync', 'everysec'];
const ALLOWED = ['on', '>secret', '~*', '&*', '+@all'];

/** Several times, some of them while a service reconnects. */
async function repeatedly(run: () => Promise<unknown>): Promise<void> {
  for (let n = 0; n < 5; n += 1) {
    await run();
    await pass(300);
  }
}

describe('updates arrive, and no client is wrongly considered current', () => {
  let redis: RedisProcess;
  /** The address of Redis, which can move to another server. */
  let service: TcpProxy;
  /** The way of one relay and one webhook to it. */
  let link: TcpProxy;
  let cluster: ObservedCluster;
  const ask = (...command: (string | number)[]) => askRedis(redis.port, ...command);

  beforeAll(async () => {
    // As an argument: a Redis that restarts has forgotten users that were added later.
    redis = await RedisProcess.start({ args: ['--user', 'far', ...ALLOWED] });
    service = await TcpProxy.start(redis.port);
    link = await TcpProxy.start(service.port);
    cluster = await ObservedCluster.start([
      { env: { REDIS_URL: `redis://127.0.0.1:${service.port}` } },
      { env: { REDIS_URL: `redis://far:secret@127.0.0.1:${link.port}` } },
    ]);
  });
  afterEach(() => link.set('passes'));
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    for (const part of [link, service, redis]) await part?.stop();
  });

  /** Lets one relay miss updates, then runs a command, and lets the relay continue. */
  const unnoticed = (command: () => Promise<unknown>) => async () => {
    link.set('swallows');
    await pass(300);
    await command();
    link.set('passes');
  };

  it('when an operator runs FLUSHALL', () =>
    cluster.endure(
      'FLUSHALL',
      unnoticed(() => ask('FLUSHALL')),
    ));

  it('when an operator deletes keys, kind by kind', async () => {
    const keys = (await ask('KEYS', `${cluster.prefix}*`)) as string[];
    const kindOf = (key: string) =>
      key
        .slice(cluster.prefix.length)
        .replace(/\{.*?\}:?/, '')
        .split(':')[1] ?? '';
    const kinds = [...new Set(keys.map(kindOf))];
    expect(kinds).toEqual(expect.arrayContaining(['meta', 'recent', 'topic', 'data', 'config', 'relays']));
    await cluster.endure(`DEL of ${kinds.join(', ')}`, async () => {
      for (const kind of kinds) await unnoticed(() => ask('DEL', ...keys.filter((key) => kindOf(key) === kind)))();
    });
  });

  it('while an operator closes all connections with CLIENT KILL', () =>
    cluster.endure('CLIENT KILL', () =>
      repeatedly(async () => {
        for (const type of ['pubsub', 'normal']) await ask('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      }),
    ));

  it.each(['WRITE', 'ALL'])('while an operator pauses clients: CLIENT PAUSE %s', async (what) => {
    const { stale } = await cluster.endure(`CLIENT PAUSE ${what}`, () => ask('CLIENT', 'PAUSE', 4000, what));
    expect(stale).toBe(2 * CLIENTS_OF_A_RELAY);
  });

  it('while an operator runs SCRIPT FLUSH', () =>
    cluster.endure('SCRIPT FLUSH', () => repeatedly(() => ask('SCRIPT', 'FLUSH'))));

  it.each([
    ['all commands', ['-@all']],
    ['the keys', ['resetkeys']],
    ['the channels', ['resetchannels']],
    ['scripts', ['-@scripting']],
  ])('while the permissions of a relay and a webhook lack %s', async (_, rules) => {
    const { stale } = await cluster.endure(
      `ACL SETUSER far ${rules}`,
      () => ask('ACL', 'SETUSER', 'far', ...rules),
      () => ask('ACL', 'SETUSER', 'far', ...ALLOWED),
    );
    expect(stale).toBeGreaterThanOrEqual(CLIENTS_OF_A_RELAY);
  });

  it('while the user of a relay and a webhook is deleted', async () => {
    const { stale, refused } = await cluster.endure(
      'ACL DELUSER far',
      () => ask('ACL', 'DELUSER', 'far'),
      () => ask('ACL', 'SETUSER', 'far', ...ALLOWED),
    );
    expect(stale).toBeGreaterThanOrEqual(CLIENTS_OF_A_RELAY);
    expect(refused).toBeGreaterThan(0);
  });

  it('while each packet takes two seconds', async () => {
    const { stale } = await cluster.endure(
      'latency of 2 s',
      () => link.delay(2000),
      async () => {
        await pass(2000); // data that is under way must not be overtaken
        link.delay(0);
        link.cut();
      },
    );
    expect(stale).toBeGreaterThanOrEqual(CLIENTS_OF_A_RELAY);
  });

  it('when Redis is killed, and loses the last writes of its file, as with appendfsync everysec', async () => {
    for (const [name = '', value = ''] of [AOF.slice(2), AOF.slice(0, 2)])
      await ask('CONFIG', 'SET', name.slice(2), value);
    await eventually(async () => {
      const info = await ask('INFO', 'persistence');
      for (const line of ['aof_enabled:1', 'aof_rewrite_in_progress:0', 'aof_rewrite_scheduled:0'])
        expect(info).toContain(line);
    });
    const folder = join(redis.dir, 'appendonlydir');
    const lastFile = () => {
      const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.incr.aof')) ?? '');
      return { file, bytes: statSync(file).size };
    };
    await eventually(() => expect(lastFile().bytes).toBeGreaterThan(20_000), 60_000);
    await cluster.endure('AOF everysec, and kill -9', async () => {
      link.set('swallows');
      await pass(300);
      await redis.kill();
      const { file, bytes } = lastFile();
      truncateSync(file, bytes - 10_000);
      await redis.run(AOF);
      link.set('passes');
    });
  });

  it('while new connections reach another server, when all do, and when all come back', async () => {
    await using other = await RedisProcess.start({ args: ['--user', 'far', ...ALLOWED] });
    await cluster.endure(
      'new connections to another server',
      async () => {
        service.moveTo(other.port);
        await ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      },
      () => service.cut(),
    );
    await cluster.endure('all connections back', () => {
      service.moveTo(redis.port);
      service.cut();
    });
  });
});

describe('these tests', () => {
  it('notice clients that are wrongly considered current: relays without repair do not know that they hear nothing', async () => {
    await using redis = await RedisProcess.start();
    await using link = await TcpProxy.start(redis.port);
    const far = { env: { REDIS_URL: `redis://127.0.0.1:${link.port}` } };
    await using cluster = await ObservedCluster.start([{ env: { REDIS_URL: redis.url } }, far], 'repair');
    link.set('drops signals');
    await eventually(() => {
      for (const transport of ['websocket', 'sse', 'longpoll']) expect(cluster.violations.join()).toContain(transport);
    }, 60_000);
  });
});
