import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { containerOf, isRole, readAsRole, renderOverlay, workloadsOf } from './support/manifests.ts';

const DEPLOY = fileURLToPath(new URL('../deploy/', import.meta.url));
const { version } = JSON.parse(readFileSync(join(DEPLOY, '../package.json'), 'utf8'));
// biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
const compose: any = parse(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8'), { merge: true });
// biome-ignore lint/suspicious/noExplicitAny: as above
const services: [string, any][] = Object.entries(compose.services);
const ours = services.filter(([name]) => isRole(name));
const proxy = readFileSync(join(DEPLOY, 'haproxy.cfg'), 'utf8');

describe('deploy/compose.yaml', () => {
  it('runs three relays, two webhooks, a chat and by a profile an outbox with the image of deploy/Dockerfile', () => {
    expect(ours.map(([name, { deploy = { replicas: 1 } }]) => [name, deploy.replicas])).toEqual([
      ['webhook', 2],
      ['relay', 3],
      ['chat', 1],
      ['outbox', 1],
    ]);
    const optional = services.filter(([, { profiles }]) => profiles !== undefined);
    expect(optional.map(([name, { profiles }]) => [name, profiles])).toEqual([
      ['postgres', ['outbox']],
      ['outbox', ['outbox']],
    ]);
    for (const [name, { command, image, build }] of ours) {
      expect({ name, command, image }).toEqual({ name, command: [name], image: `heliograph:${version}` });
      expect(existsSync(join(DEPLOY, build.context, build.dockerfile))).toBe(true);
    }
  });

  it('uses fixed versions of all other images, and the same Redis as Kubernetes', () => {
    for (const [name, { image }] of services) expect(image, name).toMatch(/:v?\d+(\.\d+)+[a-z0-9.-]*$/);
    const redis = workloadsOf(renderOverlay('local')).find(({ metadata }) => metadata.name === 'redis');
    if (!redis) throw new Error('the overlay has no Redis');
    expect(compose.services.redis.image).toBe(containerOf(redis).image);
    expect(compose.services.redis.command).toEqual(containerOf(redis).args);
  });

  it('passes each role valid settings that it knows', () => {
    for (const [name, { environment }] of ours) {
      const { names } = readAsRole(name as 'relay', { NODE_ENV: 'production', ...environment });
      expect(Object.keys(environment).filter((variable) => !names.includes(variable))).toEqual([]);
    }
  });

  it('waits until each role is ready, and checks that by the script in the image', () => {
    for (const [name, { healthcheck }] of ours) {
      expect(healthcheck.test, name).toEqual(['CMD', 'node', 'deploy/healthcheck.mjs', '/readyz']);
    }
    expect(existsSync(join(DEPLOY, 'healthcheck.mjs'))).toBe(true);
  });

  it('runs every role without root and capabilities, on a read-only file system', () => {
    for (const [name, service] of ours) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
  });

  it('gives each role the time to shut down', () => {
    const pods = workloadsOf(renderOverlay('production'));
    const graceOf = (role: string) =>
      pods.find(({ metadata }) => metadata.name === role)?.spec.template.spec.terminationGracePeriodSeconds;
    for (const [name, { stop_grace_period: grace, environment }] of ours) {
      const { own } = readAsRole(name as 'relay', environment);
      expect(Number.parseInt(grace, 10) * 1000, name).toBe(own.drainWaitMs + own.shutdownTimeoutMs + 5000);
    }
    expect(compose.services.relay.stop_grace_period).toBe(`${graceOf('relay')}s`);
  });

  it('mounts only files that exist, and binds ports to loopback only', () => {
    for (const [name, { volumes = [], ports = [] }] of services) {
      for (const volume of volumes) {
        const [source] = volume.split(':');
        if (source.startsWith('.')) expect(existsSync(join(DEPLOY, source)), `${name}: ${source}`).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('has a proxy that knows the ports of every role, with room for all replicas', () => {
    for (const [name, { environment, deploy = { replicas: 1 } }] of ours.filter(([name]) => name !== 'outbox')) {
      const { own, config } = readAsRole(name as 'relay', environment);
      const { port } = (config as unknown as Record<string, { port: number }>)[name] ?? { port: 0 };
      const backend = proxy.split(/^backend /m).find((section) => section.startsWith(`${name}\n`)) ?? '';
      const [, slots, target] = new RegExp(`server-template ${name}- (\\d+) (\\S+)`).exec(backend) ?? [];
      expect(target).toBe(`${name}:${port}`);
      expect(Number(slots)).toBeGreaterThanOrEqual(deploy.replicas);
      expect(backend).toContain(` check port ${own.adminPort} `);
    }
  });

  it('gives its outbox the database and the token of its other services', () => {
    const { postgres, outbox, webhook } = compose.services;
    const url = new URL(outbox.environment.DATABASE_URL);
    const { POSTGRES_DB: database, POSTGRES_PASSWORD: password } = postgres.environment;
    expect([url.hostname, url.username, url.password, url.pathname]).toEqual([
      'postgres',
      'postgres',
      password,
      `/${database}`,
    ]);
    expect(outbox.environment.WEBHOOK_TOKEN).toBe(webhook.environment.WEBHOOK_TOKENS);
    expect(outbox.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
  });

  it('has a proxy whose limit of open files covers its connections', () => {
    const connections = Number(/maxconn (\d+)/.exec(proxy)?.[1]);
    const forItself = 200; // measured: 51 with all of its servers
    expect(compose.services.proxy.ulimits.nofile).toBeGreaterThan(2 * connections + forItself);
  });

  it('has a proxy with longer idle timeouts than the relay', () => {
    const timeoutMs = (name: string) => 1000 * Number(new RegExp(`timeout ${name} +(\\d+)s`).exec(proxy)?.[1]);
    const { relay } = readAsRole('relay', { REDIS_URL: 'redis://redis:6379' }).config;
    expect(timeoutMs('tunnel')).toBeGreaterThan(Math.max(relay.stuckTimeoutMs, 2 * relay.pingIntervalMs));
    const longestResponseMs = 30_000; // a wait for delivery; a long-poll waits for 25 s, SSE pings come every 15 s
    expect(timeoutMs('client')).toBeGreaterThan(longestResponseMs);
    expect(timeoutMs('server')).toBeGreaterThan(longestResponseMs);
  });
});
