import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { readmeExample } from '../support/readme-example.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { runShell } from '../support/run-shell.ts';
import { signedHeaders, WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const TOKEN = { authorization: `Bearer ${WEBHOOK_TOKEN}` };
const STRUCTURED = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
const EVENT = { specversion: '1.0', id: 'e-1', source: '/orders', type: 'order.paid' };

let broker: RecordingBroker;
let webhook: RunningWebhook;

beforeEach(async () => {
  broker = new RecordingBroker();
  const secrets = [parseSigningSecret(`${WEBHOOK_SECRET}@chat|repo/*`)] as SigningCredential[];
  webhook = await startWebhook({ broker, config: { secrets } });
});
afterEach(async () => {
  expect(webhook.otherLog).toEqual([]);
  await webhook.stop();
});

/** Sends a request without a content type of its own. */
function post(path: string, request: { body?: string | Buffer; headers?: Record<string, string> } = {}) {
  const { body, headers = TOKEN } = request;
  return fetch(webhook.url + path, {
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
}

const published = () => broker.published.map(({ topic, body }) => [topic, body.data]);

describe('POST /webhook/<topic>', () => {
  it.each<[string, string | Buffer | undefined, Record<string, string>]>([
    ['no body at all', undefined, {}],
    ['JSON of another shape', '{"topic":"not-this","dta":1}', { 'content-type': 'application/json' }],
    ['a form', 'a=1&b=2', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text', 'something changed', { 'content-type': 'text/plain' }],
    ['bytes that are no text', Buffer.from([0xff, 0, 0x22]), {}],
    ['a compressed body', Buffer.from([0x1f, 0x8b, 8]), { 'content-encoding': 'gzip' }],
    ['a body of 1 MiB', 'x'.repeat(1024 * 1024), {}],
  ])('publishes %s as a signal without data', async (_, body, headers) => {
    const response = await post('/webhook/chat', {
      ...(body !== undefined && { body }),
      headers: { ...TOKEN, ...headers },
    });
    expect(await response.json()).toMatchObject({ updates: [{ topic: 'chat', version: 1 }] });
    expect(published()).toEqual([['chat', undefined]]);
  });

  it.each([
    ['/webhook/repo/octo-org/octo-repo', ['repo/octo-org/octo-repo']],
    ['/webhook/repo%2Focto-org%2focto-repo', ['repo/octo-org/octo-repo']],
    ['/webhook/a:b~c.d_e-f', ['a:b~c.d_e-f']],
    ['/webhook/https:%2F%2Fexample.org%2Fx', ['https://example.org/x']],
    ['/webhook/https://example.org/x', ['https://example.org/x']],
    ['/webhook?topic=chat', ['chat']],
    ['/webhook?topic=chat&topic=repo/a&topic=chat', ['chat', 'repo/a']],
    ['/webhook/chat?topic=news', ['chat', 'news']],
  ])('%s publishes the topics of the URL', async (path, topics) => {
    expect((await post(path, { body: '[]' })).status).toBe(200);
    expect(published()).toEqual(topics.map((topic) => [topic, undefined]));
  });

  it.each([
    ['{"n": 9007199254740993}', '{"n":9007199254740993}'],
    ['[1, {"a":2}]', '[1,{"a":2}]'],
    [' "text" ', '"text"'],
    ['null', 'null'],
    ['0', '0'],
  ])('?data=body passes on the JSON %s', async (body, data) => {
    expect((await post('/webhook/chat?data=body', { body })).status).toBe(200);
    expect(published()).toEqual([['chat', data]]);
  });

  it('takes the spread of clients from the URL', async () => {
    expect((await post('/webhook/chat?spread=2500')).status).toBe(200);
    expect(broker.published[0]?.body).toEqual({ spread: 2500 });
  });

  it('waits for delivery as /webhook does', async () => {
    broker.relays = ['relay'];
    broker.receipts.onQuery((question) => void broker.receipts.reply(question, 'relay', [undefined]));
    const delivered = await post('/webhook/chat?wait=delivered&timeout=5s');
    expect([delivered.status, await delivered.json()]).toMatchObject([200, { delivered: true, receipts: [{}] }]);
  });

  it('takes signed calls, for the topics that their secret permits', async () => {
    const body = '{"any":"body"}';
    expect((await post('/webhook/repo/a', { body, headers: signedHeaders(body) })).status).toBe(200);
    await expectProblem(await post('/webhook/news', { body, headers: signedHeaders(body) }), 403, 'topic_forbidden');
    await expectProblem(
      await post('/webhook/chat', { body: '{}', headers: signedHeaders(body) }),
      401,
      'invalid_signature',
    );
    expect(published()).toEqual([['repo/a', undefined]]);
  });

  it('is refused without credentials, before its body is read', async () => {
    await expectProblem(await post('/webhook/chat', { headers: {} }), 401, 'unauthorized');
    await expectProblem(await post('/webhook?topic=chat', { headers: {} }), 401, 'unauthorized');
  });

  it('publishes a repeated call once', async () => {
    const headers = { ...TOKEN, 'webhook-id': 'call-1' };
    const first = await (await post('/webhook/chat?data=body', { body: '1', headers })).json();
    expect(await (await post('/webhook/chat?data=body', { body: '1', headers })).json()).toEqual(first);
    expect(published()).toEqual([['chat', '1']]);
  });

  it.each(['/webhook/repo/a', '/webhook/chat?data=body', '/webhook/chat?spread=1', '/webhook?topic=chat&topic=repo/a'])(
    'a recorded call cannot be replayed at %s',
    async (path) => {
      const headers = signedHeaders('1');
      expect((await post('/webhook/chat', { body: '1', headers })).status).toBe(200);
      await expectProblem(await post(path, { body: '1', headers }), 409, 'webhook_id_reused');
      expect(published()).toEqual([['chat', undefined]]);
    },
  );

  it.each([
    ['/webhook/a%20b', '', 400, 'invalid_topic'],
    ['/webhook/%7Ba%7D', '', 400, 'invalid_topic'],
    [`/webhook/${'x'.repeat(129)}`, '', 400, 'invalid_topic'],
    ['/webhook/%ff', '', 400, 'invalid_request'],
    ['/webhook?topic=', '', 400, 'invalid_topic'],
    [`/webhook?${Array.from({ length: 101 }, (_, i) => `topic=t${i}`).join('&')}`, '', 400, 'too_many_topics'],
    ['/webhook/chat?dta=body', '', 400, 'unknown_member'],
    ['/webhook/chat?data=all', '1', 400, 'invalid_request'],
    ['/webhook/chat?data=body&data=body', '1', 400, 'invalid_request'],
    ['/webhook/chat?data=body', '', 400, 'invalid_json'],
    ['/webhook/chat?data=body', 'a=1', 400, 'invalid_json'],
    ['/webhook/chat?data=body', '1,"data":2', 400, 'invalid_json'],
    ['/webhook/chat?data=body', `${'['.repeat(65)}${']'.repeat(65)}`, 400, 'invalid_request'],
    ['/webhook/chat?data=body', `"${'x'.repeat(64 * 1024)}"`, 413, 'body_too_large'],
    ['/webhook/chat', 'x'.repeat(1024 * 1024 + 1), 413, 'body_too_large'],
    ['/webhook/chat?spread=', '', 400, 'invalid_request'],
    ['/webhook/chat?spread=1s', '', 400, 'invalid_request'],
    ['/webhook/chat?spread=3600001', '', 400, 'invalid_request'],
    ['/webhook/chat?wait=later', '', 400, 'invalid_request'],
  ])('%s with the body %.20s gets %i %s', async (path, body, status, code) => {
    await expectProblem(await post(path, { body }), status, code);
    expect(published()).toEqual([]);
  });

  it('refuses data=body of a compressed body', async () => {
    const headers = { ...TOKEN, 'content-encoding': 'gzip' };
    await expectProblem(await post('/webhook/chat?data=body', { body: '1', headers }), 415, 'unsupported_media_type');
  });

  it('names a parameter that it does not know', async () => {
    const { detail } = await (await post('/webhook/chat?dta=body')).json();
    expect(detail).toBe('The URL may have the parameters topic, data, spread, wait, timeout, not "dta"');
  });

  it.each(['GET', 'PUT', 'DELETE'])('allows POST only, not %s', async (method) => {
    const response = await fetch(`${webhook.url}/webhook/chat`, { method, headers: TOKEN });
    expect(response.headers.get('allow')).toBe('POST');
    await expectProblem(response, 405, 'method_not_allowed');
  });

  it('is the whole publisher, as the page says', async () => {
    const commands = readmeExample('sh', 'data=body').replaceAll('http://localhost:8090', webhook.url);
    await runShell(commands.replaceAll('change-this-token', WEBHOOK_TOKEN));
    expect(published()).toEqual([
      ['chat', undefined],
      ['chat', '{"comments":42}'],
    ]);
  });
});

describe('a CloudEvent at /webhook/<topic>', () => {
  const binary = { 'ce-specversion': '1.0', 'ce-id': 'e-1', 'ce-source': '/orders', 'ce-type': 'order.paid' };

  it.each<[string, Record<string, string>, string]>([
    ['structured', STRUCTURED, JSON.stringify({ ...EVENT, data: { n: 1 } })],
    ['binary', { ...binary, 'content-type': 'application/json' }, '{"n":1}'],
  ])('in %s mode is a signal, and its data is passed on with data=body', async (_, headers, body) => {
    expect((await post('/webhook/chat', { body, headers: { ...TOKEN, ...headers } })).status).toBe(200);
    expect((await post('/webhook/news?data=body', { body, headers: { ...TOKEN, ...headers } })).status).toBe(200);
    expect(published()).toEqual([
      ['chat', undefined],
      ['news', '{"n":1}'],
    ]);
  });

  it('without data publishes none', async () => {
    const headers = { ...TOKEN, ...STRUCTURED };
    expect((await post('/webhook/chat?data=body', { body: JSON.stringify(EVENT), headers })).status).toBe(200);
    expect(published()).toEqual([['chat', undefined]]);
  });

  it('is published once, by its source and id', async () => {
    const send = (event: object) =>
      post('/webhook/chat', { body: JSON.stringify(event), headers: { ...TOKEN, ...STRUCTURED } });
    for (const event of [EVENT, EVENT, { ...EVENT, id: 'e-2' }, { ...EVENT, source: '/other' }]) {
      expect((await send(event)).status).toBe(200);
    }
    expect(published()).toHaveLength(3);
  });

  it('may come in a batch, as one signal', async () => {
    const headers = { ...TOKEN, 'content-type': 'application/cloudevents-batch+json' };
    const body = JSON.stringify([EVENT, { ...EVENT, id: 'e-2' }]);
    expect((await post('/webhook/chat', { body, headers })).status).toBe(200);
    await expectProblem(await post('/webhook/chat?data=body', { body, headers }), 400, 'invalid_request');
    expect(published()).toEqual([['chat', undefined]]);
  });

  it.each<[string, Record<string, string>, string, string]>([
    ['no JSON', STRUCTURED, 'x', 'invalid_json'],
    ['no object', STRUCTURED, 'null', 'invalid_request'],
    ['another version', STRUCTURED, JSON.stringify({ ...EVENT, specversion: '0.3' }), 'invalid_request'],
    ['an empty id', STRUCTURED, JSON.stringify({ ...EVENT, id: '' }), 'invalid_request'],
    ['no source in its headers', { 'ce-specversion': '1.0', 'ce-id': 'e-1' }, '{}', 'invalid_request'],
  ])('with %s gets 400', async (_, headers, body, code) => {
    const ids = [{}, { 'webhook-id': 'call-1' }];
    for (const id of ids) {
      await expectProblem(await post('/webhook/chat', { body, headers: { ...TOKEN, ...headers, ...id } }), 400, code);
    }
    expect(published()).toEqual([]);
  });
});
