import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Elapsed, expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { startStats } from '../support/stats-fixture.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

let redis: RedisProcess;
let statistics: Awaited<ReturnType<typeof startStats>>;
let webhook: RunningWebhook;
let broker: RecordingBroker;

beforeEach(async () => {
  redis = await RedisProcess.start();
  broker = new RecordingBroker();
});
afterEach(async () => {
  redis.thaw();
  await webhook.stop();
  await statistics.stop();
  await redis.stop();
});

async function start(redisTimeout: string): Promise<void> {
  statistics = await startStats({
    STATS_TOKEN: 'a-token-of-the-tests',
    STATS_SAMPLE_RATE: '1',
    REDIS_URL: redis.url,
    REDIS_TIMEOUT: redisTimeout,
  });
  webhook = await startWebhook({
    broker,
    stats: statistics.stats.service('webhook', { trustsCallers: 'verified' }),
  });
}

async function metric(name: string): Promise<number> {
  const found = await statistics.registry.getSingleMetric(name)?.get();
  return (found?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}

/** Publishes one update after another. */
async function publish(times: number): Promise<Elapsed> {
  const stopwatch = startStopwatch();
  for (let i = 0; i < times; i += 1) {
    const answer = await fetch(`${webhook.url}/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${WEBHOOK_TOKEN}` },
      body: '{"topic":"chat"}',
    });
    expect(answer.status).toBe(200);
  }
  return stopwatch.stop();
}

describe.each([
  ['hangs', () => redis.freeze(), () => redis.thaw()],
  ['is gone', () => redis.kill(), () => redis.run()],
])('a webhook whose statistics cannot be stored because their Redis %s', (_, breakRedis, repairRedis) => {
  it('publishes without waiting for it', async () => {
    await start('30s');
    const healthy = await publish(100);
    await eventually(async () => expect(await metric('stats_store_traces')).toBe(100));
    await breakRedis();
    // A single call that waited would take 30 s longer.
    expectInTime(await publish(100), 2 * healthy.tookMs + 15_000);
    expect(broker.published).toHaveLength(200);
    await repairRedis();
  });

  it('counts dropped spans, and stores again later', async () => {
    await start('1s');
    await publish(1);
    await breakRedis();
    await eventually(async () => {
      await publish(10);
      expect(await metric('stats_store_failures_total')).toBeGreaterThan(1);
      expect(await metric('stats_spans_dropped_total')).toBeGreaterThan(200);
    });
    const pages = await statistics.get('/stats');
    expect([pages.status, (await pages.json()).code]).toEqual([503, 'broker_unavailable']);
    await repairRedis();
    await eventually(async () => {
      await publish(1);
      expect((await (await statistics.get('/stats')).json()).kept).toBeGreaterThan(0);
    });
  });
});
