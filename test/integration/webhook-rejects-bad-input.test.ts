import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../services/shared/errors.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { sendRaw } from '../support/raw-http.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const GOOD = '{"topic":"chat"}';
const GOOD_HEADERS = { 'content-type': 'application/json', authorization: `Bearer ${WEBHOOK_TOKEN}` };

let broker: RecordingBroker;
let webhook: RunningWebhook;

beforeEach(async () => {
  broker = new RecordingBroker();
  webhook = await startWebhook({ broker });
});

// After every test: nothing was published, no unexpected error was logged, and the next call succeeds.
afterEach(async () => {
  expect(broker.published).toEqual([]);
  broker.failWith = undefined;
  expect((await post({})).status).toBe(200);
  await webhook.stop();
});

function post(request: { body?: BodyInit; headers?: Record<string, string | undefined> }): Promise<Response> {
  const headers = Object.entries({ ...GOOD_HEADERS, ...request.headers });
  return fetch(`${webhook.url}/webhook`, {
    method: 'POST',
    headers: headers.filter((header): header is [string, string] => header[1] !== undefined),
    body: request.body ?? GOOD,
  });
}

describe('the answer to a new sender says what to change:', () => {
  const signed = (signature: string, timestamp = Math.floor(Date.now() / 1000)) => ({
    'webhook-id': 'a',
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signature,
  });
  const WRONG = `v1,${'A'.repeat(43)}=`;
  const token = { authorization: `Bearer ${WEBHOOK_TOKEN}` };

  it.each<[string, string, string, Record<string, string>, number, string]>([
    [
      'a wrong path',
      'POST',
      '/webhok/chat',
      token,
      404,
      'Publish by POST to /webhook, /webhook/<topic>, or /hooks/<name>',
    ],
    ['no topic', 'POST', '/webhook/', token, 404, 'Publish by POST to /webhook, /webhook/<topic>'],
    ['no source', 'POST', '/hooks', token, 404, '/hooks/<name> of a source in WEBHOOK_SOURCES'],
    ['a wrong method', 'PUT', '/webhook/chat', token, 405, 'This path allows POST'],
    ['a token alone', 'POST', '/webhook/chat', { authorization: WEBHOOK_TOKEN }, 401, 'must be "Bearer <token>"'],
    ['a user', 'POST', '/webhook/chat', { authorization: 'Basic dTpw' }, 401, 'must be "Bearer <token>"'],
    [
      'a wrong token',
      'POST',
      '/webhook/chat',
      { authorization: 'Bearer x' },
      401,
      'WEBHOOK_TOKENS does not have this token',
    ],
    [
      'another header',
      'POST',
      '/webhook/chat',
      { 'x-api-key': 'x' },
      401,
      'senders with another form need a source in WEBHOOK_SOURCES',
    ],
    [
      'another form of signature',
      'POST',
      '/webhook/chat',
      signed('abc'),
      401,
      'webhook-signature must be v1,<base64 of',
    ],
    ['a wrong signature', 'POST', '/webhook/chat', signed(WRONG), 401, 'for "<webhook-id>.<webhook-timestamp>.<body>"'],
    ['milliseconds', 'POST', '/webhook/chat', signed(WRONG, Date.now()), 401, 'another form; it must be in seconds'],
    ['a date', 'POST', '/webhook/chat', signed(WRONG, Number.NaN), 401, 'another form; it must be in seconds'],
    ['a form', 'POST', '/webhook/chat?data=body', token, 400, 'With data=body, the body must be JSON'],
  ])('%s', async (_, method, path, headers, status, advice) => {
    const response = await fetch(webhook.url + path, { method, headers, body: 'a=1' });
    const { detail } = await response.json();
    expect([response.status, detail]).toEqual([status, expect.stringContaining(advice)]);
  });
});

describe('a bad body', () => {
  const topics = (count: number) => JSON.stringify({ topics: Array.from({ length: count }, (_, i) => `t${i}`) });

  it.each([
    ['nothing', '', 'invalid_json'],
    ['broken JSON', '{"topic":', 'invalid_json'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid_json'],
    ['a list', '[]', 'invalid_request'],
    ['no topic', '{"data":1}', 'invalid_request'],
    ['a topic of another type', '{"topic":7}', 'invalid_request'],
    ['both topic and topics', '{"topic":"a","topics":["b"]}', 'invalid_request'],
    ['a spread that is no number', '{"topic":"a","spread":"1s"}', 'invalid_request'],
    ['a negative spread', '{"topic":"a","spread":-1}', 'invalid_request'],
    ['half a millisecond of spread', '{"topic":"a","spread":0.5}', 'invalid_request'],
    ['a spread of more than an hour', '{"topic":"a","spread":3600001}', 'invalid_request'],
    ['an empty list of topics', '{"topics":[]}', 'invalid_request'],
    ['an empty topic', '{"topic":""}', 'invalid_topic'],
    ['a topic of 129 bytes', `{"topic":"${'x'.repeat(129)}"}`, 'invalid_topic'],
    ['a topic with a space', '{"topic":"a b"}', 'invalid_topic'],
    ['a topic with braces', '{"topic":"{a}"}', 'invalid_topic'],
    ['a topic with a line break', '{"topic":"a\\n"}', 'invalid_topic'],
    ['a topic that is not ASCII', '{"topic":"\u00e4"}', 'invalid_topic'],
    ['one bad topic among good ones', '{"topics":["a","b c"]}', 'invalid_topic'],
    ['101 topics', topics(101), 'too_many_topics'],
    ['data of 30,000 levels', `{"topic":"a","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 'invalid_request'],
    ['a misspelled member', '{"topic":"chat","dta":1}', 'unknown_member'],
    ['keys that mean something to JavaScript', '{"topic":"a","__proto__":{"data":1}}', 'unknown_member'],
  ])('%s gets 400', async (_, body, code) => {
    await expectProblem(await post({ body }), 400, code);
  });

  it('of another content type gets 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', '', undefined]) {
      const response = await post({ headers: { 'content-type': type }, body: Buffer.from(GOOD) });
      await expectProblem(response, 415, 'unsupported_media_type');
    }
  });

  it('of another content type is answered with the way to publish without JSON', async () => {
    const { detail } = await (await post({ headers: { 'content-type': 'text/plain' } })).json();
    expect(detail).toBe('The body must be application/json; POST /webhook/<topic> publishes whatever the body is');
  });

  it('with an unknown member is answered with its name and the known ones', async () => {
    const { detail } = await (await post({ body: '{"topic":"chat","dta":1}' })).json();
    expect(detail).toBe('The body may have the members topic, topics, data, spread, or only updates, not "dta"');
  });

  it('that is compressed gets 415', async () => {
    await expectProblem(await post({ headers: { 'content-encoding': 'gzip' } }), 415, 'unsupported_media_type');
  });

  it('of 64 KiB and one byte gets 413', async () => {
    await expectProblem(await post({ body: GOOD.padEnd(64 * 1024 + 1) }), 413, 'body_too_large');
  });

  it('is measured in bytes, not in characters', async () => {
    await expectProblem(
      await post({ body: `{"topic":"a","data":"${'\u20ac'.repeat(22_000)}"}` }),
      413,
      'body_too_large',
    );
  });

  it('that announces to be too large is rejected before it arrives', async () => {
    const received = await sendRaw(webhook.port, head({ 'Content-Length': '10000000000' }));
    expect(received).toMatch(/^HTTP\/1\.1 413 /);
    expect(received).toContain('"code":"body_too_large"');
  });

  it('that never ends is rejected once it is too large, and the connection is closed', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const received = await sendRaw(webhook.port, head({ 'Transfer-Encoding': 'chunked' }), chunk.repeat(100));
    expect(received).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('is harmless if its sender disconnects in the middle', async () => {
    const sender = connect(webhook.port, '127.0.0.1');
    sender.write(head({ 'Content-Length': '100', Expect: '100-continue' }));
    await once(sender, 'data'); // the webhook waits for the body
    sender.write('{"topic":', () => sender.resetAndDestroy());
    await eventually(async () =>
      expect(await webhook.registry.metrics()).toContain('webhook_requests_total{code="aborted"} 1'),
    );
    expect(webhook.log).toEqual([]);
  });
});

describe('bad credentials', () => {
  it.each([
    ['none', undefined],
    ['empty', ''],
    ['a scheme only', 'Bearer'],
    ['another scheme', `Basic ${WEBHOOK_TOKEN}`],
    ['another token', 'Bearer another'],
    ['the beginning of a token', `Bearer ${WEBHOOK_TOKEN.slice(0, -1)}`],
    ['a token and more', `Bearer ${WEBHOOK_TOKEN}x`],
    ['a token in other letters', `Bearer ${WEBHOOK_TOKEN.toUpperCase()}`],
    ['two tokens', `Bearer ${WEBHOOK_TOKEN} ${WEBHOOK_TOKEN}`],
    ['a very long token', `Bearer ${'x'.repeat(8000)}`],
  ])('(%s) get 401', async (_, authorization) => {
    const response = await post({ headers: { authorization } });
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="heliograph"');
    await expectProblem(response, 401, 'unauthorized');
  });

  it('are rejected before the body is read', async () => {
    const response = await post({ headers: { authorization: 'Bearer no', 'content-type': 'x' }, body: '{' });
    await expectProblem(response, 401, 'unauthorized');
    const huge = head({ Authorization: 'Bearer no', 'Content-Length': '10000000000' });
    expect(await sendRaw(webhook.port, huge)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('are never logged', async () => {
    await post({ headers: { authorization: 'Bearer hunter2' } });
    broker.failWith = new Error('unexpected');
    await post({});
    expect(webhook.log.join('')).not.toMatch(`hunter2|${WEBHOOK_TOKEN}`);
    broker.failWith = undefined;
  });
});

describe('a bad request', () => {
  it.each(['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'])(
    'with the method %s is answered with 405',
    async (method) => {
      const response = await fetch(`${webhook.url}/webhook`, { method, headers: GOOD_HEADERS });
      expect(response.headers.get('allow')).toBe('POST');
      if (method === 'HEAD') expect(response.status).toBe(405);
      else await expectProblem(response, 405, 'method_not_allowed');
    },
  );

  it.each(['/webhook/', '/WEBHOOK', '/webhook.x', '/%ff', '/..%2fwebhook', '/metrics', '/update_webhook.cgi?1'])(
    'to %s is answered with 404',
    async (path) => {
      const response = await fetch(webhook.url + path, { method: 'POST', headers: GOOD_HEADERS, body: GOOD });
      await expectProblem(response, 404, 'not_found');
    },
  );

  it('to a path that cannot be decoded gets 400', async () => {
    for (const version of ['%ff', '%', '%2', '1%00%ff']) {
      const response = await fetch(`${webhook.url}/updates/${version}?topic=chat`, { headers: GOOD_HEADERS });
      await expectProblem(response, 400, 'invalid_request');
    }
    expect(webhook.otherLog).toEqual([]);
  });

  it('that is not HTTP gets 400, and the connection is closed', async () => {
    expect(await sendRaw(webhook.port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"code":"invalid_request"/s);
  });

  it('with headers of 20 KB gets 431, and the connection is closed', async () => {
    expect(await sendRaw(webhook.port, head({ 'X-Long': 'x'.repeat(20_000) }))).toMatch(
      /^HTTP\/1\.1 431 .*"code":"headers_too_large"/s,
    );
  });
});

describe('a failure behind the webhook', () => {
  it('of the broker gets 503 with Retry-After', async () => {
    broker.failWith = new AppError('broker_unavailable');
    const response = await post({ body: '{"topics":["a","b"]}' });
    expect(response.headers.get('retry-after')).toBe('1');
    await expectProblem(response, 503, 'broker_unavailable');
  });

  it('that is unexpected gets 500, and is logged but not revealed', async () => {
    broker.failWith = new Error('hunter2');
    const response = await post({ headers: { 'x-request-id': 'call-7' } });
    expect(await response.clone().text()).not.toMatch(/hunter2|\.ts/);
    expect(response.headers.get('x-request-id')).toBe('call-7');
    await expectProblem(response, 500, 'internal_error');
    expect(webhook.log).toHaveLength(1);
    expect(webhook.log[0]).toContain('hunter2');
    expect(JSON.parse(webhook.log[0] ?? '')).toMatchObject({ requestId: 'call-7' });
  });

  it('gets a new request id if its own is not safe to log', async () => {
    const response = await post({ headers: { 'x-request-id': 'two words' }, body: '' });
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

function head(headers: Record<string, string>): string {
  const all = {
    Host: 'localhost',
    Authorization: `Bearer ${WEBHOOK_TOKEN}`,
    'Content-Type': 'application/json',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /webhook HTTP/1.1\r\n${lines.join('')}\r\n`;
}
