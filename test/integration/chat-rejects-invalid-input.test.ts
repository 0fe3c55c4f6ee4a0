import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningChat, startChat } from '../support/chat-fixture.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { sendRaw } from '../support/raw-http.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const GOOD = { name: 'Ada', text: 'Hello' };
const JSON_HEADERS = { 'content-type': 'application/json' };

let broker: RecordingBroker;
let webhook: RunningWebhook;
let chat: RunningChat;

const isRefusedOrigin = (line: string) => line.includes('refusing a page of another origin');

beforeEach(async () => {
  broker = new RecordingBroker();
  webhook = await startWebhook({ broker });
  chat = await startChat({ webhookUrl: `${webhook.url}/webhook` });
});

// After each test: nothing was saved or published, nothing was logged but refused origins, and a valid comment is still accepted.
afterEach(async () => {
  expect(broker.published).toEqual([]);
  expect((await chat.comments()).comments).toEqual([]);
  expect(chat.log.filter((line) => !isRefusedOrigin(line))).toEqual([]);
  expect((await chat.post(GOOD)).status).toBe(201);
  await chat.stop();
  await webhook.stop();
});

function post(body: BodyInit, headers: Record<string, string> = JSON_HEADERS): Promise<Response> {
  return fetch(`${chat.url}/comments`, { method: 'POST', headers, body });
}

describe('a comment', () => {
  it.each([
    ['an empty body', '', 'invalid_json'],
    ['broken JSON', '{"name":', 'invalid_json'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid_json'],
    ['a list', '[]', 'invalid_request'],
    ['null', 'null', 'invalid_request'],
    ['a text', '"Hello"', 'invalid_request'],
    ['no name', '{"text":"Hello"}', 'invalid_comment'],
    ['no text', '{"name":"Ada"}', 'invalid_comment'],
    ['a name of another type', '{"name":7,"text":"Hello"}', 'invalid_comment'],
    ['an empty name', '{"name":" ","text":"Hello"}', 'invalid_comment'],
    ['a name of 41 characters', JSON.stringify({ ...GOOD, name: 'x'.repeat(41) }), 'invalid_comment'],
    ['a text of 1001 characters', JSON.stringify({ ...GOOD, text: 'x'.repeat(1001) }), 'invalid_comment'],
    ['a NUL', '{"name":"Ada","text":"a\\u0000b"}', 'invalid_comment'],
    ['half a character', '{"name":"Ada","text":"\\ud800"}', 'invalid_comment'],
    ['keys with a meaning in JavaScript', '{"__proto__":{"name":"Ada","text":"Hello"}}', 'invalid_comment'],
  ])('with %s is rejected with 400', async (_, body, code) => {
    await expectProblem(await post(body), 400, code);
  });

  it('in an incomplete form is rejected with 400', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const body of ['', 'name=Ada', 'name=Ada&text=', 'name=%ff&text=%20', 'name[]=Ada&text=Hello', '&&&===%%%']) {
      await expectProblem(await post(body, form), 400, 'invalid_comment');
    }
  });

  it('of another content type is rejected with 415', async () => {
    for (const type of ['text/plain', 'application/jsonx', 'multipart/form-data; boundary=x', ', application/json']) {
      await expectProblem(await post(Buffer.from('{}'), { 'content-type': type }), 415, 'unsupported_media_type');
    }
    await expectProblem(await post(Buffer.from(JSON.stringify(GOOD)), {}), 415, 'unsupported_media_type');
    const gzip = { ...JSON_HEADERS, 'content-encoding': 'gzip' };
    await expectProblem(await post(Buffer.from('x'), gzip), 415, 'unsupported_media_type');
  });

  it('of more than 16 KiB is rejected with 413', async () => {
    const body = JSON.stringify({ ...GOOD, padding: 'x'.repeat(16 * 1024) });
    await expectProblem(await post(body), 413, 'body_too_large');
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(4096)),
    });
    const response = await fetch(`${chat.url}/comments`, {
      method: 'POST',
      headers: JSON_HEADERS,
      body: endless,
      duplex: 'half',
    } as RequestInit);
    await expectProblem(response, 413, 'body_too_large');
  });

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another page of the same machine', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'http://evil.example' }],
    ['a sandboxed page', { origin: 'null' }],
  ])('from %s is rejected with 403, before its body is read, which the log says once', async (_, headers) => {
    await expectProblem(await post('{', { ...JSON_HEADERS, ...headers }), 403, 'origin_forbidden');
    const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' };
    await expectProblem(await post('name=Ada&text=Hello', { ...form, ...headers }), 403, 'origin_forbidden');
    expect(chat.log.map((line) => JSON.parse(line))).toMatchObject([{ level: 40, host: new URL(chat.url).host }]);
  });
});

describe('a request', () => {
  it.each([
    ['/', 'POST', 'GET, HEAD'],
    ['/', 'DELETE', 'GET, HEAD'],
    ['/comments', 'PUT', 'GET, HEAD, POST'],
    ['/comments', 'OPTIONS', 'GET, HEAD, POST'],
    ['/chat.js', 'POST', 'GET, HEAD'],
  ])('to %s with method %s is rejected with 405', async (path, method, allow) => {
    const response = await fetch(chat.url + path, { method });
    expect(response.headers.get('allow')).toBe(allow);
    await expectProblem(response, 405, 'method_not_allowed');
  });

  it.each([
    '/comments/',
    '/COMMENTS',
    '/chat.db',
    '/..%2fchat.db',
    '/chat.js.map',
    '/%ff',
    '/metrics',
    '//',
    '/public/chat.css',
  ])('to %s is rejected with 404', async (path) => {
    await expectProblem(await fetch(chat.url + path), 404, 'not_found');
  });

  it.each(['x', '-1', '1.5', '1e3', '12345678901234567', '0&after=1', '%00', ''])(
    'for comments after %j is rejected with 400',
    async (after) => {
      await expectProblem(await fetch(`${chat.url}/comments?after=${after}`), 400, 'invalid_request');
    },
  );

  it('that is not HTTP is rejected with 400 and closed', async () => {
    expect(await sendRaw(chat.port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('with method HEAD is served', async () => {
    for (const path of ['/', '/comments', '/chat.css']) {
      expect((await fetch(chat.url + path, { method: 'HEAD' })).status).toBe(200);
    }
  });
});
