import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Elapsed, expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { startStats } from '../support/stats-fixture.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const REDIS_TIMEOUT_MS = 1000;

let redis: RedisProcess;
let statistics: Awaited<ReturnType<typeof startStats>>;
let webhook: RunningWebhook;
let broker: RecordingBroker;

beforeEach(async () => {
  redis = await RedisProcess.start();
  statistics = await startStats({
    STATS_TOKEN: 'a-token-of-the-tests',
    STATS_SAMPLE_RATE: '1',
    REDIS_URL: redis.url,
    REDIS_TIMEOUT: `${REDIS_TIMEOUT_MS}ms`,
  });
  broker = new RecordingBroker();
  const { stats } = statistics;
  webhook = await startWebhook({
    broker,
    stats: stats.service('webhook', { trustsCallers: 'verified' }),
  });
});
afterEach(async () => {
  redis.thaw();
  await webhook.stop();
  await statistics.stop();
  await redis.stop();
});

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

describe('a webhook whose statistics cannot be stored', () => {
  it.each([
    ['hangs', () => redis.freeze(), () => redis.thaw()],
    ['is gone', () => redis.kill(), () => redis.run()],
  ])(
    'publishes while their Redis %s, counts dropped spans, and stores again later',
    async (_, breakRedis, repairRedis) => {
      const healthy = await publish(100);
      await eventually(async () => expect(await metric('stats_store_traces')).toBe(100));
      await breakRedis();
      // The first call that waited for Redis would take a timeout longer.
      expectInTime(await publish(100), 2 * healthy.tookMs + REDIS_TIMEOUT_MS / 2);
      expect(broker.published).toHaveLength(200);
      await eventually(async () => {
        await publish(1);
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
    },
  );
});
