import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { eventually } from '../support/eventually.ts';
import { sendRaw } from '../support/raw-http.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let relay: RelayFixture;
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.stop());

const KIB = 1024;
const longest = 't'.repeat(128);

describe('an invalid message', () => {
  it.each([
    ['text that is not JSON', 'subscribe please', 'invalid_json'],
    ['truncated JSON', '{"type":"subscribe"', 'invalid_json'],
    ['a list', '[]', 'invalid_message'],
    ['null', 'null', 'invalid_message'],
    ['no type', '{}', 'unknown_type'],
    ['an unknown type', '{"type":"publish","topic":"chat"}', 'unknown_type'],
    ['a type from the prototype', '{"type":"__proto__"}', 'unknown_type'],
    ['a subscription without topics', '{"type":"subscribe"}', 'invalid_message'],
    ['a subscription to a list', '{"type":"subscribe","topics":["chat"]}', 'invalid_message'],
    ['an empty subscription', '{"type":"subscribe","topics":{}}', 'invalid_message'],
    ['a version as text', '{"type":"subscribe","topics":{"chat":"1"}}', 'invalid_message'],
    ['a negative version', '{"type":"subscribe","topics":{"chat":-1}}', 'invalid_message'],
    ['a fractional version', '{"type":"subscribe","topics":{"chat":1.5}}', 'invalid_message'],
    ['a version above the safe integers', '{"type":"subscribe","topics":{"chat":9007199254740992}}', 'invalid_message'],
    ['an empty topic', '{"type":"subscribe","topics":{"":null}}', 'invalid_topic'],
    ['an oversized topic', `{"type":"subscribe","topics":{"${longest}x":null}}`, 'invalid_topic'],
    ['a topic with a space', '{"type":"subscribe","topics":{"a b":null}}', 'invalid_topic'],
    ['a topic with a NUL', '{"type":"subscribe","topics":{"a\\u0000":null}}', 'invalid_topic'],
    ['one invalid topic among valid ones', '{"type":"subscribe","topics":{"good":null,"*":null}}', 'invalid_topic'],
    ['an empty unsubscription', '{"type":"unsubscribe","topics":[]}', 'invalid_message'],
    ['an unsubscription from a number', '{"type":"unsubscribe","topics":[1]}', 'invalid_topic'],
    ['a token that is not a string', '{"type":"auth","token":1}', 'invalid_message'],
  ])('%s is answered with its code, and the connection goes on', async (_, text, code) => {
    const client = await relay.connect('/ws?topic=chat');
    client.send(text);
    await eventually(() => expect(client.ofType('error')).toEqual([{ type: 'error', code }]));
    expect(relay.relay.hub.subscribers('good' as never)).toBe(0);
    const version = await relay.publish('chat');
    await eventually(() => expect(client.ofType('update').map((update) => update.version)).toEqual([version]));
    expect(await relay.metric('relay_refusals_total')).toBe(1);
  });

  it('with too many topics is refused as a whole, and the client keeps its topics', async () => {
    const client = await relay.connect('/ws?topic=mine');
    const topics = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`t${i}`, null]));
    client.send({ type: 'subscribe', topics });
    await eventually(() => expect(client.ofType('error')).toEqual([{ type: 'error', code: 'too_many_topics' }]));
    expect(relay.relay.hub.topics).toBe(1);
    client.send({ type: 'unsubscribe', topics: ['mine'] });
    client.send({ type: 'subscribe', topics: { first: null } });
    await eventually(() => expect(relay.relay.hub.topics).toBe(1));
    await eventually(() => expect(client.ofType('subscribed').at(-1)?.topics).toHaveProperty('first'));
  });
});

describe('a relay closes a connection for', () => {
  it.each([
    ['a binary message', Buffer.from([1, 2, 3]), 1008],
    ['a message over 16 KiB', 'x'.repeat(16 * KIB + 1), 1009],
    ['a message far over 16 KiB', 'x'.repeat(100 * KIB), 1009],
  ])('%s', async (_, frame, code) => {
    const [client, other] = [await relay.connect('/ws?topic=chat'), await relay.connect('/ws?topic=chat')];
    await eventually(() => expect(other.ofType('subscribed')).toHaveLength(1));
    client.socket.send(frame);
    await eventually(() => expect(client.closed?.code).toBe(code));
    await relay.publish('chat');
    await eventually(() => expect(other.ofType('update')).toHaveLength(1));
    expect(relay.relay.hub.subscribers('chat' as never)).toBe(1);
  });

  it('a hundred thousand messages in a row, with 4429, at a bounded cost, and without effect on others', async () => {
    const [client, other] = [await relay.connect('/ws?topic=chat'), await relay.connect('/ws?topic=chat')];
    await eventually(() => expect(other.ofType('subscribed')).toHaveLength(1));
    for (let i = 0; i < 100_000 && client.closed === undefined; i += 1) client.socket.send('{"type":"ping"}');
    await eventually(() => expect(client.closed?.code).toBe(4429));
    expect(client.ofType('pong').length).toBeLessThanOrEqual(300);
    await relay.publish('chat');
    await eventually(() => expect(other.ofType('update')).toHaveLength(1));
  });

  it('no message up to 16 KiB', async () => {
    const client = await relay.connect('/ws');
    client.send(`{"type":"ping","pad":"${'x'.repeat(16 * KIB - 25)}"}`);
    await eventually(() => expect(client.ofType('pong')).toHaveLength(1));
  });

  it('no text of a legacy client up to 16 KiB', async () => {
    const client = await relay.connect('/update_check?topic=page');
    for (const frame of ['NOOP', '', 'no JSON', Buffer.from([0, 255])]) client.socket.send(frame);
    await eventually(() => expect(relay.relay.hub.isFresh('page' as never)).toBe(true));
    await relay.publish('page');
    await eventually(() => expect(client.texts).toEqual(['UPDATED']));
    client.socket.send('x'.repeat(17 * KIB));
    await eventually(() => expect(client.closed?.code).toBe(1009));
  });
});

describe('an invalid URL', () => {
  async function refused(path: string): Promise<{ status: number | undefined; body: Record<string, unknown> }> {
    const socket = new WebSocket(relay.url + path);
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, body: JSON.parse(body) };
  }

  const many = Array.from({ length: 129 }, (_, i) => `topic=t${i}`).join('&');
  it.each([
    ['/ws?topic=', 'invalid_topic'],
    ['/ws?topic=a%20b', 'invalid_topic'],
    ['/ws?topic=%ff', 'invalid_topic'],
    [`/ws?topic=${longest}x`, 'invalid_topic'],
    ['/ws?topic=a&since=yesterday', 'invalid_since'],
    ['/ws?topic=a&since=-1', 'invalid_since'],
    ['/ws?topic=a&since=01', 'invalid_since'],
    ['/ws?topic=a&since=1,2', 'invalid_since'],
    ['/ws?topic=a&topic=b&since=1', 'invalid_since'],
    ['/ws?since=1', 'invalid_since'],
    [`/ws?${many}`, 'too_many_topics'],
    ['/update_check?topic=*', 'invalid_topic'],
  ])('%s is refused before the upgrade', async (path, code) => {
    expect(await refused(path)).toMatchObject({ status: 400, body: { code, status: 400 } });
    expect(relay.relay.hub.topics).toBe(0);
  });

  it.each([
    ['GET', '/ws', 426, 'upgrade_required'],
    ['POST', '/update_check', 426, 'upgrade_required'],
    ['GET', '/nothing', 404, 'not_found'],
    ['POST', '/', 405, 'method_not_allowed'],
    ['GET', '/metrics', 404, 'not_found'],
  ])('%s %s without a WebSocket', async (method, path, status, code) => {
    const response = await fetch(relay.http + path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ code });
  });

  it.each([
    ['POST', '/webhook'],
    ['POST', '/webhook/chat'],
    ['POST', '/hooks/github'],
    ['GET', '/updates/current?topic=chat'],
    ['GET', '/update_webhook.cgi'],
  ])('%s %s is answered with the service that serves it', async (method, path) => {
    const response = await fetch(relay.http + path, { method });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: 'not_found',
      detail: 'Webhooks serve this path, at another port or host than relays',
    });
  });

  it.each([
    ['/nothing', 404, 404],
    ['/ws', 426, 426],
    ['/events', 400, 405],
  ])('HEAD %s is answered without a body, which would pass for the next answer', async (path, ofHead, ofPut) => {
    const ask = (method: string, connection: string) =>
      `${method} ${path} HTTP/1.1\r\nHost: relay\r\nConnection: ${connection}\r\n\r\n`;
    const answer = await sendRaw(relay.port, ask('HEAD', 'keep-alive') + ask('PUT', 'close'));
    const [head, next, ...rest] = answer.split(/(?=HTTP\/1\.1 )/);
    expect([head, next]).toEqual([
      expect.stringMatching(new RegExp(`^HTTP/1.1 ${ofHead} [^{]*\r\n\r\n$`)),
      expect.stringMatching(new RegExp(`^HTTP/1.1 ${ofPut} [^{]*\r\n\r\n\\{`)),
    ]);
    expect(rest).toEqual([]);
  });

  it('for a WebSocket is refused', async () => {
    expect(await refused('/other')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });
});
