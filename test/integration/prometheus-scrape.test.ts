import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { eventually } from '../support/eventually.ts';
import { PrometheusProcess } from '../support/prometheus-process.ts';
import { alertsIn, expressionsOf, metricsIn, type Panel, type RuleGroup } from '../support/promql.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const DEPLOY = new URL('../../deploy/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, DEPLOY), 'utf8');
const SCRAPE_INTERVAL = '200ms';

const dashboard: { panels: Panel[] } = JSON.parse(read('grafana/heliograph.json'));
const { groups }: { groups: readonly RuleGroup[] } = parse(read('prometheus/alerts.yaml'));
const rules = alertsIn(groups);
/** Alerts that do not depend on the load of the test machine. */
const ABOUT_OUTAGES = /^Heliograph(Redis|RelayStale|NoRelay|ProcessDown|PublishFails|MixedVersions)/;
/** Metrics of what is not started here: the outbox, sources of deliveries, and a canary. */
const NOT_RUNNING = /\b(outbox|webhook_source|canary)_/;
/** As Grafana replaces them. */
const filledIn = (expression: string) => expression.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');

/** The shipped configuration with the test's targets and shorter intervals. */
function fastConfig(services: readonly { job: string; service: ServiceProcess }[]): object {
  const shipped = parse(read('prometheus/prometheus.yml'));
  return {
    global: { scrape_interval: SCRAPE_INTERVAL, evaluation_interval: SCRAPE_INTERVAL },
    rule_files: ['rules.yaml'],
    scrape_configs: shipped.scrape_configs.map(({ job_name: job }: { job_name: string }) => ({
      job_name: job,
      static_configs: [
        {
          targets: services.filter((one) => one.job === job).map(({ service }) => `127.0.0.1:${service.adminPort}`),
        },
      ],
    })),
  };
}

/** The shipped rules with shorter `for` durations. */
function impatientRules(): object {
  return {
    groups: groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => ('alert' in rule ? { ...rule, for: rule.for ? '1s' : '0s' } : rule)),
    })),
  };
}

describe('a real Prometheus with the shipped configuration', () => {
  let redis: RedisProcess;
  let services: { job: string; service: ServiceProcess }[] = [];
  let prometheus: PrometheusProcess;
  let client: WsClient;

  beforeAll(async () => {
    redis = await RedisProcess.start({ args: ['--maxmemory-policy', 'noeviction'] });
    const env = {
      REDIS_URL: redis.url,
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      ADMIN_HOST: '127.0.0.1',
      DRAIN_WINDOW: '0s',
      STATS_TOKEN: WEBHOOK_TOKEN,
    };
    const start = async (job: 'relay' | 'webhook' | 'chat', own = {}) => ({
      job,
      service: await startService(job, { ...env, ...own }),
    });
    const webhook = await start('webhook');
    const url = `http://127.0.0.1:${webhook.service.port}/webhook`;
    const chat = start('chat', { WEBHOOK_URL: url, WEBHOOK_TOKEN });
    services = [webhook, ...(await Promise.all([start('relay'), start('relay'), chat]))];
    const of = (job: string) => services.find((one) => one.job === job)?.service.port;
    client = await WsClient.open(`ws://127.0.0.1:${of('relay')}/ws?topic=chat`);
    // A rate needs a series that exists before it rises.
    const publish = { method: 'POST', body: '{"topic":"other"}' };
    const headers = { Authorization: `Bearer ${WEBHOOK_TOKEN}`, 'Content-Type': 'application/json' };
    const waitForDelivery = () => fetch(`${url}?wait=delivered`, { ...publish, headers });
    expect((await waitForDelivery()).status).toBe(200);
    prometheus = await PrometheusProcess.start({ config: fastConfig(services), rules: impatientRules() });
    await eventually(async () => {
      expect(await prometheus.query('webhook_requests_total + on () chat_comments_total')).toHaveLength(1);
      expect(await prometheus.query('relay_delivery_latency_seconds_count')).toHaveLength(2);
    });
    expect((await waitForDelivery()).status).toBe(200);
    const comment = { name: 'Ada', text: 'Look now' };
    const saved = await fetch(`http://127.0.0.1:${of('chat')}/comments`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(comment),
    });
    expect(saved.status).toBe(201);
    await eventually(() => expect(client.ofType('update').length).toBeGreaterThan(0));
  });

  afterAll(async () => {
    client?.terminate();
    await prometheus?.stop();
    await Promise.all(services.map(({ service }) => service.stop('SIGKILL')));
    await redis?.stop();
  });

  it('scrapes every process', async () => {
    const targets = await eventually(async () => {
      const found = await prometheus.targets();
      expect(found.map(({ health, lastError }) => health + lastError)).toEqual(services.map(() => 'up'));
      return found;
    });
    expect(targets.map(({ job }) => job).sort()).toEqual(['chat', 'relay', 'relay', 'webhook']);
    for (const { instance } of targets) {
      await eventually(async () => {
        const [info] = await prometheus.query(`heliograph_build_info{instance="${instance}"}`);
        expect(info?.metric).toMatchObject({ node: process.versions.node });
        expect(info?.metric.service).toBe(info?.metric.job);
      });
    }
  });

  it('has every metric of the dashboard and the alerts', async () => {
    const types = await prometheus.metricTypes();
    const named = [...expressionsOf(dashboard.panels), ...rules.map(({ expr }) => expr)].flatMap((expression) =>
      expression.startsWith('ALERTS') ? [] : metricsIn(expression),
    );
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => name !== 'up' && !NOT_RUNNING.test(name) && !Object.hasOwn(types, name))).toEqual([]);
  });

  it('evaluates every expression of the dashboard, with a result unless it is about failures', async () => {
    const aboutFailures = [
      'Connections opened and closed',
      'Firing alerts',
      'Refused by Redis',
      'Refused calls',
      'Refused chat requests',
      'Refused requests',
    ];
    const silent: string[] = [];
    for (const { title, targets = [] } of dashboard.panels) {
      for (const { expr } of targets) {
        // A rate is missing, and a quantile NaN, until something happened between two scrapes.
        const samples = await eventually(async () => {
          const found = await prometheus.query(filledIn(expr));
          for (const { value } of found) expect(value, `${title}: ${expr}`).not.toBeNaN();
          if (!aboutFailures.includes(title) && !NOT_RUNNING.test(expr))
            expect(found, `${title}: ${expr}`).not.toEqual([]);
          return found;
        });
        if (samples.length === 0 && !NOT_RUNNING.test(expr)) silent.push(title);
      }
    }
    expect(silent.sort()).toEqual(aboutFailures);
  });

  it('serves the connections of each relay to the metrics adapter', async () => {
    const { rules: adapter } = parse(read('prometheus/adapter.yaml'));
    const [{ seriesQuery, metricsQuery }] = adapter;
    const query = metricsQuery
      .replace('<<.Series>>', /^\w+/.exec(seriesQuery)?.[0])
      .replace('<<.LabelMatchers>>', 'job="relay"')
      .replace('<<.GroupBy>>', 'instance');
    const samples = await prometheus.query(query);
    expect(samples.map(({ value }) => value).sort()).toEqual([0, 1]);
  });

  it('fires no alert in normal operation, the right ones when Redis is killed, and one for the lost data afterwards', async () => {
    const firing = async () => {
      const active = (await prometheus.alerts()).filter(({ state }) => state === 'firing');
      const names = new Set(active.map(({ labels }) => labels.alertname ?? ''));
      return [...names].filter((name) => ABOUT_OUTAGES.test(name)).sort();
    };
    expect(await firing()).toEqual([]);
    await redis.kill();
    await eventually(
      async () => expect(await firing()).toEqual(['HeliographRedisUnreachable', 'HeliographRelayStale']),
      40_000,
    );
    await eventually(async () => {
      const stale = (await prometheus.alerts()).filter(({ labels }) => labels.alertname === 'HeliographRelayStale');
      expect(stale.map(({ state }) => state)).toEqual(['firing', 'firing']); // both relays
      expect(stale[0]?.annotations.summary).toContain('is stale');
    });
    await redis.runEmpty();
    await eventually(async () => expect(await firing()).toEqual(['HeliographRedisForgot']), 30_000);
  });
});
