import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startRelay } from '../support/relay-fixture.ts';
import { startStats } from '../support/stats-fixture.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

let running: Awaited<ReturnType<typeof startStats>>;
let webhook: RunningWebhook;

/** Samples of half of all requests: those that are recorded and those that are only counted count the same. */
const SAMPLE_RATE = '0.5';

beforeEach(async () => {
  running = await startStats({ STATS_TOKEN: 'a-token-of-the-tests', STATS_SAMPLE_RATE: SAMPLE_RATE });
  const stats = running.stats.service('webhook', { trustsCallers: 'verified' });
  webhook = await startWebhook({ stats, config: { isAllowedHost: (host) => host !== 'elsewhere' } });
});
afterEach(async () => {
  await webhook.stop();
  await running.stop();
});

const post = (body: string, token = WEBHOOK_TOKEN) =>
  fetch(`${webhook.url}/webhook`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  });

async function refuseCalls(): Promise<void> {
  for (let n = 0; n < 40; n += 1) expect((await post('{"topic":"chat"}', 'wrong')).status).toBe(401);
  for (let n = 0; n < 3; n += 1) expect((await post('{"topic":"chat","dta":1}')).status).toBe(400);
  expect((await post('{"topic":"chat"}')).status).toBe(200);
  expect((await fetch(`${webhook.url}/nothing-here`)).status).toBe(404);
}

it('a refused call is counted with its code, apart from errors, and its trace can be found', async () => {
  await refuseCalls();
  await eventually(async () => {
    const { requests, refused } = await (await running.get('/stats')).json();
    expect(requests).toMatchObject([
      {
        ...{ name: 'POST /webhook', count: 44, errors: 0, refused: 43 },
        refusals: { '401 unauthorized': 40, '400 unknown_member': 3 },
      },
      { name: 'GET (no route)', count: 1, errors: 0, refused: 1, refusals: { '404 not_found': 1 } },
    ]);
    expect(refused).toBeGreaterThan(2);
  });
  const query = new URLSearchParams({ call: 'webhook POST /webhook', refused: '1' });
  const { traces } = await (await running.get(`/stats?${query}`)).json();
  const codes = new Set(traces.map(({ refused }: { refused: string }) => refused));
  expect(codes).toContain('401 unauthorized');
  expect(codes).not.toContain('404 not_found');
  expect(codes).not.toContain('');
});

it('a refused call is counted by its error code as a metric, also if it does not reach the app', async () => {
  await refuseCalls();
  await sendRaw(webhook.port, 'POST /webhook HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n');
  await sendRaw(webhook.port, 'nonsense\r\n\r\n');
  const { values = [] } = (await webhook.registry.getSingleMetric('webhook_refusals_total')?.get()) ?? {};
  expect(Object.fromEntries(values.map(({ labels, value }) => [labels.code, value]))).toEqual({
    unauthorized: 40,
    unknown_member: 3,
    not_found: 1,
    host_forbidden: 1,
    invalid_request: 1,
  });
});

it('refused calls are logged: once a minute for each code, but not what scanners cause', async () => {
  await refuseCalls();
  const lines = webhook.log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'refusing requests');
  expect(lines).toMatchObject([
    { level: 40, code: 'unauthorized', times: 1, requestId: expect.stringMatching(/^.{36}$/) },
    { level: 40, code: 'unknown_member', times: 1 },
  ]);
});

it('a request that a relay refuses is counted with its code', async () => {
  const relay = await startRelay({ stats: running.stats.service('relay') });
  const answer = await fetch(`${relay.http}/topics/${'x'.repeat(200)}`);
  expect(answer.status).toBe(400);
  await eventually(async () => {
    const { calls } = await (await running.get('/stats')).json();
    expect(calls).toContainEqual(
      expect.objectContaining({ service: 'relay', name: 'refused request', refusals: { '400 invalid_topic': 1 } }),
    );
  });
  await relay.stop();
});
