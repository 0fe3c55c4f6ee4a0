import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Broker } from '../../services/shared/broker/broker.ts';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { signedHeaders, WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const BODY = '{"topic":"chat"}';
const SECRETS = [parseSigningSecret(WEBHOOK_SECRET)] as SigningCredential[];

async function post(webhook: RunningWebhook, headers: Record<string, string>, body = BODY) {
  const response = await fetch(`${webhook.url}/webhook`, { method: 'POST', headers, body });
  return { status: response.status, answer: await response.json() };
}

function redisBroker(): Broker {
  const env = new EnvReader({ REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: prefix });
  return new RedisBroker({ config: requireRedisConfig(env), report: SILENT_REPORT, abort() {}, restoreTimeMs: 0 });
}

let prefix: string;

describe.each([
  ['two webhooks on one Redis', () => [redisBroker(), redisBroker()]],
  ['two webhooks on one broker in memory', () => Array<Broker>(2).fill(new MemoryBroker())],
])('%s', (_, createBrokers) => {
  let brokers: Broker[];
  let webhooks: RunningWebhook[];
  let one: RunningWebhook;
  let two: RunningWebhook;

  beforeEach(async () => {
    prefix = randomPrefix();
    brokers = createBrokers();
    for (const broker of new Set(brokers)) await broker.start();
    webhooks = await Promise.all(brokers.map((broker) => startWebhook({ broker, config: { secrets: SECRETS } })));
    [one, two] = webhooks as [RunningWebhook, RunningWebhook];
  });
  afterEach(async () => {
    for (const webhook of webhooks) await webhook.stop();
    for (const broker of new Set(brokers)) await broker.stop();
  });

  it('send a repeated call the first response, and publish nothing', async () => {
    const headers = signedHeaders(BODY);
    const first = await post(one, headers);
    expect(first.status).toBe(200);
    expect(await post(one, headers)).toEqual(first);
    expect(await post(two, headers)).toEqual(first);
    expect(await post(two, signedHeaders(BODY, { id: headers['webhook-id'] ?? '' }))).toEqual(first);
    const next = await post(two, signedHeaders(BODY));
    expect(next.answer.updates[0].version).toBeGreaterThan(first.answer.updates[0].version);
    expect(await one.registry.metrics()).toContain('webhook_repeated_calls_total 1');
    expect(await two.registry.metrics()).toContain('webhook_repeated_calls_total 2');
  });

  it('reject the same id with another body, even while the first call is in progress', async () => {
    const id = 'msg_same';
    const other = '{"topic":"other"}';
    const [a, b] = await Promise.all([
      post(one, signedHeaders(BODY, { id })),
      post(one, signedHeaders(other, { id }), other),
    ]);
    expect([a.status, b.status].sort()).toEqual([200, 409]);
    const [body, refused] = a.status === 200 ? [BODY, other] : [other, BODY];
    expect(await post(two, signedHeaders(refused, { id }), refused)).toMatchObject({
      status: 409,
      answer: { code: 'webhook_id_reused' },
    });
    expect(await post(two, signedHeaders(body, { id }), body)).toMatchObject({ status: 200 });
  });

  it('publish once if the same call arrives at both at the same moment', async () => {
    for (let i = 0; i < 10; i += 1) {
      const headers = signedHeaders(BODY);
      const answers = await Promise.all([one, two, one, two].map((webhook) => post(webhook, headers)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(new Set(answers.map(({ answer }) => answer.updates[0].version)).size).toBe(1);
    }
  });

  it('keep the ids of each credential separate', async () => {
    const id = 'msg_same';
    const signed = await post(one, signedHeaders(BODY, { id }));
    const token = { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json', 'webhook-id': id };
    const byToken = await post(one, token);
    expect(byToken.answer.updates[0].version).toBeGreaterThan(signed.answer.updates[0].version);
    expect(await post(two, token)).toEqual(byToken);
  });
});

describe('a webhook', () => {
  it('publishes once if the same call arrives a hundred times at once', async () => {
    const broker = new RecordingBroker();
    const webhook = await startWebhook({ broker, config: { secrets: SECRETS } });
    const headers = signedHeaders(BODY);
    const answers = await Promise.all(Array.from({ length: 100 }, () => post(webhook, headers)));
    expect(broker.published).toHaveLength(1);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    await webhook.stop();
  });

  it('publishes a repeated call if the first one failed', async () => {
    const broker = new RecordingBroker();
    const webhook = await startWebhook({ broker, config: { secrets: SECRETS } });
    const headers = signedHeaders(BODY);
    broker.failWith = new Error('gone');
    expect((await post(webhook, headers)).status).toBe(500);
    broker.failWith = undefined;
    expect((await post(webhook, headers)).status).toBe(200);
    expect(broker.published).toHaveLength(1);
    await webhook.stop();
  });

  it('limits the calls per second of a credential to WEBHOOK_RATE, and sends Retry-After', async () => {
    const broker = new RecordingBroker();
    const webhook = await startWebhook({ broker, config: { secrets: SECRETS, pointsPerSecond: 5 } });
    const token = { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(webhook, token)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(10); // a second may have passed in between
    expect(refused[0]?.answer).toMatchObject({ code: 'rate_limited' });
    expect(broker.published.length).toBe(20 - refused.length);
    expect(await webhook.registry.metrics()).toContain(`webhook_requests_total{code="429"} ${refused.length}`);
    const response = await fetch(`${webhook.url}/webhook`, { method: 'POST', headers: token, body: BODY });
    if (response.status === 429) expect(response.headers.get('retry-after')).toBe('1');
    expect((await post(webhook, signedHeaders(BODY))).status).toBe(200);
    await webhook.stop();
  });

  it('charges a call by its topics and the KiB of data that they receive, and admits every valid call', async () => {
    const broker = new RecordingBroker();
    const webhook = await startWebhook({ broker, config: { pointsPerSecond: 100 } });
    const token = { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' };
    const call = (topics: number, data: string) =>
      fetch(`${webhook.url}/webhook`, {
        method: 'POST',
        headers: token,
        body: JSON.stringify({ topics: Array.from({ length: topics }, (_, i) => `t${i}`), data }),
      });
    expect((await call(100, 'x'.repeat(60_000))).status).toBe(200); // 5860 points: a minute of this rate
    const refused = await call(1, '');
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: 'rate_limited' }]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
    expect(broker.published).toHaveLength(100);
    await webhook.stop();
  });

  it('counts the stored responses of signed calls as bytes of their credential', async () => {
    const webhook = await startWebhook({ config: { secrets: SECRETS, maxStoredBytes: 8 * 1024 ** 2 } });
    const call = async (name: string, topics: number, data?: string) => {
      const body = JSON.stringify({ topics: Array.from({ length: topics }, (_, i) => `${name}${i}`), data });
      return (await post(webhook, signedHeaders(body), body)).status;
    };
    expect(await call('a', 100, 'x'.repeat(60_000))).toBe(200);
    expect(await call('b', 38, 'x'.repeat(60_000))).toBe(200);
    // About 40 KiB are left. The registers are stored already; each response takes about 7 KiB.
    const statuses: number[] = [];
    for (let i = 0; i < 10; i += 1) statuses.push(await call('a', 100));
    expect([statuses[0], statuses.at(-1)]).toEqual([200, 429]);
    await webhook.stop();
  });

  it('bounds the bytes that a credential stores, without counting what a newer update replaces', async () => {
    const broker = new RecordingBroker();
    const config = { secrets: SECRETS, maxStoredBytes: 8 * 1024 ** 2 };
    const webhook = await startWebhook({ broker, config });
    const call = (body: string) => post(webhook, signedHeaders(body), body);
    const large = (name: string) =>
      JSON.stringify({ topics: Array.from({ length: 100 }, (_, i) => `${name}${i}`), data: 'x'.repeat(60_000) });
    for (let round = 0; round < 3; round += 1) expect((await call(large('a'))).status).toBe(200);
    expect(await call(large('b'))).toMatchObject({ status: 429, answer: { code: 'rate_limited' } });
    expect(broker.published).toHaveLength(300);
    const other = await post(webhook, {
      authorization: `Bearer ${WEBHOOK_TOKEN}`,
      'content-type': 'application/json',
    });
    expect(other.status).toBe(200);
    expect(await webhook.registry.metrics()).toContain('webhook_calls_limited_total{limit="storage"} 1');
    await webhook.stop();
  });
});
