import { describe, expect, inject, it } from 'vitest';
import { COMMAND_LINE, runCommand } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { readReadmeAcl } from '../support/readme-acl.ts';
import { askRedis } from '../support/redis-admin.ts';
import { startRedisCluster } from '../support/redis-cluster-fixture.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { runShell } from '../support/run-shell.ts';
import { startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

/** A relay's environment, with free ports. */
async function relayEnv(more: Record<string, string> = {}): Promise<Record<string, string>> {
  return {
    REDIS_URL: inject('redisUrl'),
    HELIOGRAPH_PREFIX: randomPrefix(),
    RELAY_PORT: String(await freePort()),
    ADMIN_PORT: String(await freePort()),
    ...more,
  };
}

describe('heliograph doctor', () => {
  it('finds everything in order with Redis and the documented ACL user, and writes nothing', async () => {
    const acl = readReadmeAcl();
    await using redis = await RedisProcess.start({ args: ['--user', acl.username, ...acl.rules] });
    const env = await relayEnv({
      REDIS_URL: redis.url,
      REDIS_USERNAME: acl.username,
      REDIS_PASSWORD: acl.password,
      HELIOGRAPH_PREFIX: 'heliograph',
    });
    const { code, stdout, stderr } = await runCommand(['doctor', 'relay'], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ok {4}settings {2}valid\n/);
    expect(stdout).toMatch(/^ok {4}redis {5}(Redis|Valkey) \d+\.\d+\.\d+$/m);
    expect(stdout).toMatch(/^ok {4}eviction {2}maxmemory-policy noeviction$/m);
    expect(stdout).toMatch(/^ok {4}clock {5}this machine is \d+ ms (behind|ahead of) Redis$/m);
    expect(stdout).toMatch(/^ok {4}pub\/sub {3}round trip in \d+\.\d ms$/m);
    expect(stdout).toContain(`RELAY_PORT ${env.RELAY_PORT} is free`);
    expect(stdout).toMatch(/^(ok|warn) +files /m);
    expect(stdout).not.toContain('\x1b');
    expect(await askRedis(redis.port, 'DBSIZE')).toBe(0);
  });

  it('prints JSON lines', async () => {
    const env = { ...(await relayEnv()), RELAY_PORT: '0' };
    const { stdout } = await runCommand(['doctor', 'relay', '--json'], { env });
    const checks = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(checks[0]).toEqual({ status: 'ok', name: 'settings', text: 'valid' });
    expect(new Set(checks.map(({ name }) => name))).toEqual(
      new Set(['settings', 'redis', 'eviction', 'clock', 'pub/sub', 'port', 'files']),
    );
  });

  it('needs no Redis for start', async () => {
    const ports = Object.fromEntries(['RELAY', 'WEBHOOK', 'CHAT', 'ADMIN'].map((name) => [`${name}_PORT`, '0']));
    const { code, stdout } = await runCommand(['doctor'], { env: ports });
    expect(code).toBe(0);
    expect(stdout).toContain('not set: updates stay in the memory of the process');
  });

  it('fails with every problem of the settings', async () => {
    const { code, stdout } = await runCommand(['doctor', 'webhook'], { env: { WEBHOOK_PORT: 'x', ADMIN_PORT: '0' } });
    expect(code).toBe(1);
    expect(stdout).toContain('fail  settings  WEBHOOK_PORT must be a whole number');
    expect(stdout).toContain('fail  settings  WEBHOOK_TOKENS must contain a token');
    expect(stdout).toContain('fail  settings  REDIS_URL must be set');
    const outbox = await runCommand(['doctor', 'outbox'], { env: { ADMIN_PORT: '0' } });
    expect(outbox.code).toBe(1);
    expect(outbox.stdout).toContain('fail  settings  DATABASE_URL must be a URL');
    const chat = await runCommand(['doctor', 'chat'], { env: { CHAT_PORT: '0', ADMIN_PORT: '0' } });
    expect(chat.stdout).toContain('fail  settings  WEBHOOK_SECRET must be');
  });

  it('fails if Redis is unreachable, frozen, refuses the password, or is a replica', async () => {
    await using redis = await RedisProcess.start({ password: 'secret' });
    const text = async (more: Record<string, string>) => {
      const { code, stdout } = await runCommand(['doctor', 'relay'], { env: await relayEnv(more) });
      expect(code).toBe(1);
      return /^fail {2}redis {5}(.*)$/m.exec(stdout)?.[1] ?? stdout;
    };
    const port = await freePort();
    expect(await text({ REDIS_URL: `redis://127.0.0.1:${port}` })).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(await text({ REDIS_URL: `redis://127.0.0.1:${redis.port}` })).toContain('NOAUTH');
    await using replica = await RedisProcess.start({ args: ['--replicaof', '127.0.0.1', String(port)] });
    expect(await text({ REDIS_URL: replica.url })).toMatch(/is a replica: name its master$/);
    redis.freeze();
    const frozen = await text({ REDIS_URL: redis.url, REDIS_TIMEOUT: '300ms' });
    redis.thaw();
    expect(frozen).toMatch(/time/);
  });

  it('warns of a Redis that may evict, and of clocks that disagree', async () => {
    await using redis = await RedisProcess.start({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    const hourAhead = 'const { now } = Date; Date.now = () => now() + 3600000';
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hourAhead)}`;
    const env = await relayEnv({ REDIS_URL: redis.url, NODE_OPTIONS });
    const { code, stdout } = await runCommand(['doctor', 'relay'], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^warn {2}eviction {2}maxmemory-policy allkeys-lru may drop registers/m);
    expect(stdout).toMatch(/^warn {2}clock {5}this machine is (3600|3599)\d{3} ms ahead of Redis/m);
  });

  it('fails if Redis does not permit pub/sub', async () => {
    const rules = ['on', '>secret', '~*', '&heliograph:*', '+ping', '+info', '+time', '+subscribe'];
    await using redis = await RedisProcess.start({ args: ['--user', 'narrow', ...rules] });
    const more = { REDIS_URL: redis.url, REDIS_USERNAME: 'narrow', REDIS_PASSWORD: 'secret' };
    const { code, stdout } = await runCommand(['doctor', 'relay'], { env: await relayEnv(more) });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^fail {2}pub\/sub {3}.*NOPERM.*publish/m);
  });

  it('checks each configured node of Redis Cluster', async () => {
    const cluster = await startRedisCluster({ replicas: false });
    try {
      const { REDIS_URL: _, ...env } = await relayEnv({ ...cluster.env, HELIOGRAPH_PREFIX: 'heliograph' });
      const { code, stdout } = await runCommand(['doctor', 'relay'], { env });
      expect(code).toBe(0);
      for (const { port } of cluster.nodes) expect(stdout).toContain(`ok    pub/sub   127.0.0.1:${port}: round trip`);
    } finally {
      await cluster.stop();
    }
  });

  it('fails if a port is in use, unless the service itself is running', async () => {
    const env = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), WEBHOOK_TOKENS: WEBHOOK_TOKEN };
    await using webhook = await startService('webhook', env);
    const ports = { WEBHOOK_PORT: String(webhook.port), ADMIN_PORT: String(webhook.adminPort) };
    const running = await runCommand(['doctor', 'webhook'], { env: { ...env, ...ports } });
    expect(running.code).toBe(0);
    expect(running.stdout).toContain(`WEBHOOK_PORT ${webhook.port} is in use, and the admin port responds`);
    const foreign = await runCommand(['doctor', 'webhook'], { env: { ...env, ...ports, ADMIN_PORT: '0' } });
    expect(foreign.code).toBe(1);
    expect(foreign.stdout).toContain(`WEBHOOK_PORT: port ${webhook.port} of`);
  });

  it('fails if the limit of open files has no room for MAX_CONNECTIONS, and warns if it has little', async () => {
    const env = await relayEnv();
    const run = (more: Record<string, string>) =>
      runShell(`ulimit -n 300; "${process.execPath}" "${COMMAND_LINE}" doctor relay || echo "exit $?"`, {
        ...env,
        ...more,
      });
    expect(await run({})).toMatch(/^warn {2}files {5}the limit of open files leaves room for 100 clients/m);
    const failed = await run({ MAX_CONNECTIONS: '200' });
    expect(failed).toMatch(/^fail {2}files .* and MAX_CONNECTIONS is 200/m);
    expect(failed).toMatch(/exit 1$/m);
  });

  it('colours its output in a terminal, unless NO_COLOR is set', async () => {
    const env = { ...(await relayEnv()), TERM: 'xterm-256color' };
    // Node.js prints no colours if CI is set.
    const inTerminal = `env -u CI script -qec '"${process.execPath}" "${COMMAND_LINE}" doctor relay' /dev/null`;
    expect(await runShell(inTerminal, { ...env, NO_COLOR: undefined } as never)).toContain('\x1b[32mok  \x1b[0m');
    expect(await runShell(inTerminal, { ...env, NO_COLOR: '1' })).not.toContain('\x1b[32m');
  });
});
