import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { FakeSentinel } from '../support/fake-sentinel.ts';
import { freePort } from '../support/free-port.ts';
import { attemptCall } from '../support/publish-call.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

/** Fails if a line of the log is not JSON, such as a warning that a library prints. */
function requireJsonLines(log: string): void {
  for (const line of log.trim().split('\n')) expect(line).toMatch(/^\{"level":.*\}$/);
}

describe('a webhook whose Redis replies with errors', () => {
  let redis: RedisProcess;
  let webhook: ServiceProcess | undefined;
  beforeAll(async () => {
    redis = await RedisProcess.start();
    for (const [user, missing] of [
      ['webhook', '-get'],
      ['uninformed', '-info'],
    ] as const) {
      await askRedis(redis.port, 'ACL', 'SETUSER', user, 'on', '>right', '~*', '&*', '+@all', missing);
    }
  });
  afterAll(async () => {
    await redis.stop();
  });

  /** Returns the number of refused commands in the ACL log of Redis. */
  async function refusals(): Promise<number> {
    const entries = (await askRedis(redis.port, 'ACL', 'LOG')) as (Record<string, unknown> | unknown[])[];
    return entries
      .map((entry) => Number(Array.isArray(entry) ? entry[1 + entry.indexOf('count')] : entry.count))
      .reduce((sum, count) => sum + count, 0);
  }

  it.each([
    ['its password is wrong', 'webhook:wrong', 'WRONGPASS'],
    ['its user lacks permissions', 'webhook:right', 'NOPERM'],
    ['its user must not know the state of Redis', 'uninformed:right', "permissions to run the 'info' command"],
  ])('starts, is not ready, replies 503 and logs the reason once: %s', async (_, credentials, reason) => {
    await askRedis(redis.port, 'ACL', 'LOG', 'RESET');
    const url = redis.url.replace('://', `://${credentials}@`);
    webhook = await startService('webhook', { REDIS_URL: url, WEBHOOK_TOKENS: WEBHOOK_TOKEN }, { until: 'livez' });
    try {
      const { port, adminPort, log } = webhook;
      await eventually(() => expect(log()).toContain('the webhook listens'));
      const response = await fetch(`http://127.0.0.1:${port}/webhook`, {
        method: 'POST',
        headers: { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' },
        body: '{"topic":"chat"}',
      });
      expect([response.status, (await response.json()).code]).toEqual([503, 'broker_unavailable']);
      const readiness = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
      expect([readiness.status, await readiness.json()]).toMatchObject([503, { conditions: { redis: false } }]);
      await eventually(() => expect(log()).toContain(reason));
      await eventually(async () => expect(await refusals()).toBeGreaterThan(5)); // it keeps trying
      expect(log().split(reason)).toHaveLength(2);
      expect(log()).not.toContain('wrong');
      requireJsonLines(log());
      // The delay between attempts has reached half a second.
      const before = await refusals();
      const startedAtMs = performance.now();
      await eventually(async () => expect(await refusals()).toBeGreaterThan(before + 3));
      expect(performance.now() - startedAtMs).toBeGreaterThan(700);
    } finally {
      await webhook.stop();
    }
  });
});

describe('a webhook that finds no Redis', () => {
  /** A server that accepts connections and closes them; counts them. */
  async function startClosingServer() {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => {}).resume();
      socket.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      port: (server.address() as AddressInfo).port,
      connections: () => connections,
      [Symbol.asyncDispose]: async () => void server.close(),
    };
  }

  async function requireUnavailable(webhook: ServiceProcess): Promise<void> {
    await eventually(() => expect(webhook.log()).toContain('the webhook listens'));
    const { status, body } = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    expect([status, body.code]).toEqual([503, 'broker_unavailable']);
  }

  it('opens its port, and logs each reason once, if no Sentinel names a master', async () => {
    await using closing = await startClosingServer();
    await using other = await RedisProcess.start(); // no Sentinel: refuses the question
    const free = await freePort();
    const sentinels = [free, closing.port, other.port].map((port) => `127.0.0.1:${port}`).join(',');
    await using webhook = await startService(
      'webhook',
      { REDIS_SENTINELS: sentinels, REDIS_SENTINEL_NAME: 'master', WEBHOOK_TOKENS: WEBHOOK_TOKEN },
      { until: 'livez' },
    );
    await requireUnavailable(webhook);
    await eventually(() => expect(closing.connections()).toBeGreaterThan(8)); // it keeps trying
    const lines = webhook.log().split('\n');
    const failures = lines.filter((line) => line.includes('cannot connect to Redis'));
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain('no Sentinel names the master');
    expect(failures[0]).toContain(`127.0.0.1:${free}: connect ECONNREFUSED`);
    expect(failures[0]).toContain(`127.0.0.1:${closing.port}: Connection is closed`);
    expect(failures[0]).toMatch(new RegExp(`127.0.0.1:${other.port}: ERR unknown command`));
    requireJsonLines(webhook.log());
  });

  it('logs that the Sentinels do not know the name of the master', async () => {
    await using sentinel = await FakeSentinel.start(0);
    await using webhook = await startService(
      'webhook',
      { REDIS_SENTINELS: `127.0.0.1:${sentinel.port}`, REDIS_SENTINEL_NAME: 'other', WEBHOOK_TOKENS: WEBHOOK_TOKEN },
      { until: 'livez' },
    );
    await requireUnavailable(webhook);
    expect(webhook.log()).toContain(`127.0.0.1:${sentinel.port}: does not know it`);
  });

  it('logs that the nodes of a Redis Cluster are down, or do not reply to its user', async () => {
    await using node = await RedisProcess.start({ args: ['--cluster-enabled', 'yes'] }); // has no slots
    await askRedis(node.port, 'ACL', 'SETUSER', 'narrow', 'on', '>right', '~*', '&*', '+@all', '-cluster');
    const env = { REDIS_CLUSTER_NODES: `127.0.0.1:${node.port}`, WEBHOOK_TOKENS: WEBHOOK_TOKEN };
    const login = { REDIS_USERNAME: 'narrow', REDIS_PASSWORD: 'right' };
    await using webhook = await startService('webhook', env, { until: 'livez' });
    await using refused = await startService('webhook', { ...env, ...login }, { until: 'livez' });
    await requireUnavailable(webhook);
    expect(webhook.log()).toContain(`127.0.0.1:${node.port} reports that the cluster is down`);
    await requireUnavailable(refused);
    expect(refused.log()).toContain("permissions to run the 'cluster|info' command");
  });

  it('logs why each address of a name cannot be reached', async () => {
    const url = `redis://localhost:${await freePort()}`;
    const env = { REDIS_URL: url, WEBHOOK_TOKENS: WEBHOOK_TOKEN };
    await using webhook = await startService('webhook', env, { until: 'livez' });
    await requireUnavailable(webhook);
    expect(webhook.log()).toMatch(/"reason":"connect ECONNREFUSED [^"]+"/);
  });

  it('is alive but not ready to the health check of the image', async () => {
    const env = { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, WEBHOOK_TOKENS: WEBHOOK_TOKEN };
    await using webhook = await startService('webhook', env, { until: 'livez' });
    await requireUnavailable(webhook);
    const script = new URL('../../deploy/healthcheck.mjs', import.meta.url).pathname;
    const check = (...args: string[]) =>
      promisify(execFile)(process.execPath, [script, ...args], { env: { ADMIN_PORT: String(webhook.adminPort) } });
    await check();
    await expect(check('/readyz')).rejects.toThrow(`port ${webhook.adminPort} returns 503`);
  });
});

describe('a password for a Redis that needs none and has no HELLO', () => {
  it('is not used, and nothing is printed', async () => {
    await using redis = await RedisProcess.start({ args: ['--rename-command', 'HELLO', ''] });
    const env = { REDIS_URL: redis.url.replace('://', '://:secret@'), WEBHOOK_TOKENS: WEBHOOK_TOKEN };
    await using webhook = await startService('webhook', env);
    expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })).status).toBe(200);
    requireJsonLines(webhook.log());
  });
});
