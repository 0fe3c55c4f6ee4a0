import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { parseTopic } from '../../services/shared/update/topic.ts';
import type { Update } from '../../services/shared/update/update.ts';
import { eventually } from '../support/eventually.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

let broker: RecordingBroker;
let webhook: RunningWebhook;

beforeEach(async () => {
  broker = new RecordingBroker();
  webhook = await startWebhook({
    broker,
    config: { legacy: true, defaultTopic: parseTopic('front'), tokens: ['another', WEBHOOK_TOKEN] },
  });
});
afterEach(() => webhook.stop());

function publish(body: unknown, headers: Record<string, string> = {}, url = webhook.url): Promise<Response> {
  return fetch(`${url}/webhook`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${WEBHOOK_TOKEN}`, ...headers },
    body: JSON.stringify(body),
  });
}

describe('POST /webhook', () => {
  it('publishes one topic and responds with its version and the one before', async () => {
    const response = await publish({ topic: 'chat' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-powered-by')).toBeNull();
    expect(await response.json()).toEqual({ updates: [{ topic: 'chat', version: 1, previous: 0 }] });
    expect(broker.published).toEqual([{ topic: 'chat', body: {}, version: 1 }]);
    const again = await publish({ topic: 'chat' });
    expect(await again.json()).toEqual({ updates: [{ topic: 'chat', version: 2, previous: 1 }] });
  });

  it('passes on a valid trace context of its caller', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await publish({ topic: 'chat', data: 1 }, { traceparent });
    await publish({ topic: 'chat' }, { traceparent: 'nonsense' });
    expect(broker.published.map(({ body }) => body)).toEqual([{ data: '1', traceparent }, {}]);
  });

  it('publishes several topics with their data, and responds in the order of the request', async () => {
    const response = await publish({ topics: ['b', 'a', 'b'], data: { n: 1 } });
    expect(await response.json()).toEqual({
      updates: [
        { topic: 'b', version: 1, previous: 0 },
        { topic: 'a', version: 2, previous: 0 },
      ],
    });
    expect(broker.published.map(({ topic, body }) => [topic, body])).toEqual([
      ['b', { data: '{"n":1}' }],
      ['a', { data: '{"n":1}' }],
    ]);
  });

  it.each([
    ['any of the tokens', { authorization: 'Bearer another' }],
    ['the scheme in any case', { authorization: `bearer ${WEBHOOK_TOKEN}` }],
    ['a content type with parameters', { 'content-type': 'Application/JSON; charset=utf-8' }],
  ])('accepts %s', async (_, headers) => {
    expect((await publish({ topic: 'chat' }, headers)).status).toBe(200);
  });

  it('accepts a body of exactly 64 KiB', async () => {
    const data = 'x'.repeat(64 * 1024 - JSON.stringify({ topic: 'chat', data: '' }).length);
    expect((await publish({ topic: 'chat', data })).status).toBe(200);
  });

  it('notifies the followers of the broker', async () => {
    const memory = new MemoryBroker();
    const delivered: Update[] = [];
    memory.setFeedHandler({
      deliver: (update) => void delivered.push(update),
      raiseFloor: () => {},
      watchesLost: () => {},
      linkUp: () => {},
    });
    await memory.start();
    await memory.watch([parseTopic('chat')]);
    const other = await startWebhook({ broker: memory });
    const { updates } = await (await publish({ topic: 'chat', data: [1] }, {}, other.url)).json();
    await eventually(() => expect(delivered).toEqual([{ topic: 'chat', version: updates[0].version, data: '[1]' }]));
    await other.stop();
    await memory.stop();
  });

  it('counts requests by status, and updates', async () => {
    await publish({ topics: ['a', 'b'] });
    await publish({ topics: [] });
    await publish({ topic: 'a' }, { authorization: 'Bearer no' });
    await eventually(async () => {
      const text = await webhook.registry.metrics();
      expect(text).toContain('webhook_requests_total{code="200"} 1');
      expect(text).toContain('webhook_requests_total{code="400"} 1');
      expect(text).toContain('webhook_requests_total{code="401"} 1');
      expect(text).toContain('webhook_updates_total 2');
      expect(text).toContain('webhook_request_duration_seconds_count 3');
    });
  });
});

describe('the legacy contract', () => {
  it.each([
    ['GET', '/update_webhook.cgi?1261648800.12'],
    ['GET', '/update_webhook.cgi'],
    ['POST', '/update_webhook.cgi?a=b&%ff'],
  ])('publishes the default topic for %s %s, without credentials, and responds OK', async (method, path) => {
    const response = await fetch(webhook.url + path, { method });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await response.text()).toBe('OK');
    expect(broker.published).toEqual([{ topic: 'front', body: {}, version: 1 }]);
  });

  it('accepts a POST with any body', async () => {
    const response = await fetch(`${webhook.url}/update_webhook.cgi`, { method: 'POST', body: 'x'.repeat(200_000) });
    expect(await response.text()).toBe('OK');
  });

  it('publishes nothing for HEAD, which must have no effect', async () => {
    const response = await fetch(`${webhook.url}/update_webhook.cgi`, { method: 'HEAD' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST']);
    expect(broker.published).toEqual([]);
  });
});
