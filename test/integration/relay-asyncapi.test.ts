import { once } from 'node:events';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import WebSocket from 'ws';
import { relayAsyncApi } from '../../services/relay/asyncapi.ts';
import { createSchemas, type Description, parseWalked } from '../support/contract.ts';
import { ENGINES } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { publishCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { sendRaw } from '../support/raw-http.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SseClient } from '../support/sse-client.ts';
import { JWT_SECRET, signToken, WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const description: Description = JSON.parse(JSON.stringify(relayAsyncApi()));
const schemas = createSchemas(description);

/** Expects that a message is described for a channel, by its name, and valid. */
function expectDescribed(channel: 'ws' | 'events', action: 'send' | 'receive', name: string, payload: unknown): void {
  const key = channel === 'events' ? keyOf(name) : name;
  const refs = Object.values<Description>(description.operations)
    .filter((operation) => operation.action === action && operation.channel.$ref === `#/channels/${channel}`)
    .flatMap(({ messages }) => messages.map(({ $ref }: { $ref: string }) => $ref));
  expect(refs).toContain(`#/channels/${channel}/messages/${key}`);
  const validate = schemas(`/components/messages/${key}/payload`);
  expect(validate(payload) ? [] : validate.errors, JSON.stringify(payload)).toEqual([]);
}

/** Returns the key of the message of an event, by its name. */
const keyOf = (event: string): string => ({ ping: 'eventPing', '': 'turboRefresh' })[event] ?? event;

describe('the AsyncAPI description of the relay', () => {
  it('is valid AsyncAPI 3.0', () => {
    const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0.json');
    // The schema has its meta-schema within.
    const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
    addFormats.default(ajv);
    const validate = ajv.compile(schema);
    expect(validate(description) ? [] : validate.errors).toEqual([]);
  });

  it('has only references that exist', () => {
    const refs = [...JSON.stringify(description).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    const resolve = (path: string) => path.split('/').reduce<Description>((part, name) => part?.[name], description);
    expect(refs.filter((path) => resolve(path) === undefined)).toEqual([]);
  });
});

describe.each(ENGINES)('with the engine %s, the AsyncAPI description of the relay', (RELAY_ENGINE) => {
  const env = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), RELAY_ENGINE };
  const stops: (() => unknown)[] = [];
  const clients: WsClient[] = [];
  const streams: SseClient[] = [];
  const errors = new Set<string>();
  const refusals = new Set<string>();
  let relay: ServiceProcess;
  let webhook: ServiceProcess;
  let early: SseClient;

  const start = async (role: 'relay' | 'webhook', more: Record<string, string> = {}) => {
    const service = await startService(role, { ...env, DRAIN_WINDOW: '0s', ...more });
    stops.push(() => service.stop('SIGKILL'));
    return service;
  };
  const connect = ({ port }: ServiceProcess, query = 'topic=chat') => {
    const client = new WsClient(`ws://127.0.0.1:${port}/ws?${query}`);
    clients.push(client);
    return client;
  };
  const stream = async ({ port }: ServiceProcess, query = 'topic=chat', headers: Record<string, string> = {}) => {
    const client = await SseClient.open(`http://127.0.0.1:${port}/events?${query}`, headers);
    streams.push(client);
    return client;
  };
  /** Sends a message that the description has. */
  const send = (client: WsClient, message: { type: string; [member: string]: unknown }) => {
    expectDescribed('ws', 'receive', message.type, message);
    client.send(message);
  };
  /** Waits until a client is closed. Returns the code. */
  const closeOf = (client: WsClient) =>
    eventually(() => {
      if (client.closed === undefined) throw new Error(`still open: ${client.texts}`);
      return client.closed.code;
    });
  /** Opens a stream that is refused, and remembers the code. */
  const refuse = async (service: ServiceProcess, query: string, headers: Record<string, string> = {}) => {
    const client = await stream(service, query, headers);
    await eventually(() => expect(client.body).not.toBe(''));
    refusals.add(JSON.parse(client.body).code);
  };
  /** Returns the code with which a handshake is refused. */
  const refusedHandshake = async ({ port }: ServiceProcess, query: string, headers: Record<string, string> = {}) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?${query}`, {
      finishRequest(request) {
        for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
        request.end();
      },
    });
    socket.on('error', () => {});
    const opened = once(socket, 'open').then(() => {
      socket.terminate();
      throw new Error('the handshake was accepted');
    });
    const [, response] = await Promise.race([once(socket, 'unexpected-response'), opened]);
    return JSON.parse(await text(response)).code as string;
  };
  const subscribed = (client: WsClient) => eventually(() => expect(client.ofType('subscribed')).not.toEqual([]));

  beforeAll(async () => {
    [relay, webhook] = await Promise.all([start('relay'), start('webhook', { WEBHOOK_TOKENS: WEBHOOK_TOKEN })]);
    early = await stream(relay);
  });
  afterAll(async () => {
    for (const client of clients) client.terminate();
    for (const client of streams) client.close();
    await Promise.all(stops.map((stop) => stop()));
  });

  it('is what the relay serves', async () => {
    const response = await fetch(`http://127.0.0.1:${relay.port}/asyncapi.json`);
    expect(await response.json()).toEqual(description);
  });

  it('is right about a session', async () => {
    const client = connect(relay);
    await subscribed(client);
    const turbo = await stream(relay, 'topic=chat&format=turbo');
    await eventually(() => expect(turbo.ofType('subscribed')).toHaveLength(1));
    send(client, { type: 'subscribe', topics: { more: null, other: 1 } });
    send(client, { type: 'unsubscribe', topics: ['other'] });
    send(client, { type: 'auth', token: 'any' });
    send(client, { type: 'ping' });
    await eventually(() => expect(client.ofType('pong')).toHaveLength(1));
    const message = { topics: ['chat', 'more'], data: { n: 1 }, spread: 5 };
    expect((await publishCall(webhook, WEBHOOK_TOKEN, message)).status).toBe(200);
    await eventually(() => expect(client.ofType('update').length).toBeGreaterThan(1));
    await eventually(() => expect(early.ofType('update')).toHaveLength(1));
    await eventually(() => expect(turbo.events.filter(({ name }) => name === '')).toHaveLength(1));
  });

  it('is right about messages that are refused', async () => {
    const client = connect(relay);
    await subscribed(client);
    const invalid: [message: unknown, code: string][] = [
      ['{', 'invalid_json'],
      [{ type: 'subscribe' }, 'invalid_message'],
      [{ type: 'none' }, 'unknown_type'],
      [{ type: 'subscribe', topics: { 'a b': null } }, 'invalid_topic'],
    ];
    for (const [message] of invalid) client.send(message);
    await eventually(() =>
      expect(client.ofType('error').map(({ code }) => code)).toEqual(invalid.map(([, code]) => code)),
    );
    const schema = schemas('/components/messages/subscribe/payload');
    expect([schema(invalid[1]?.[0]), schema(invalid[3]?.[0])]).toEqual([false, false]);
    const small = connect(await start('relay', { MAX_TOPICS: '1' }));
    await subscribed(small);
    send(small, { type: 'subscribe', topics: { other: null } });
    await eventually(() => expect(small.ofType('error')).toMatchObject([{ code: 'too_many_topics' }]));
  });

  it('is right about a relay that becomes stale', async () => {
    const redis = await RedisProcess.start();
    const stale = await start('relay', { REDIS_URL: redis.url });
    const [client, events] = [connect(stale), await stream(stale)];
    await subscribed(client);
    await redis.stop();
    await eventually(() => {
      for (const each of [client, events]) expect(each.ofType('freshness').at(-1)).toMatchObject({ fresh: false });
    });
  });

  it('is right about close codes', async () => {
    const [limited, guarded, away, rated, leaving] = await Promise.all([
      start('relay', { MAX_MESSAGE_SIZE: '1KiB', FRAME_RATE: '1', MAX_RELAY_TOPICS: '1' }),
      start('relay', { SUBSCRIBE_AUTH: 'required', JWT_SECRET }),
      start('relay', { SUBSCRIBE_AUTH: 'required', JWKS_URL: 'http://127.0.0.1:9/keys' }),
      start('relay', { CONNECTION_RATE: '1' }),
      start('relay', { DRAIN_WAIT: '3s' }),
    ]);
    const codes: number[] = [];
    const binary = connect(relay);
    await subscribed(binary);
    binary.socket.send(Buffer.from('binary'));
    codes.push(await closeOf(binary));

    const [large, fast, full] = [connect(limited), connect(limited), connect(limited)];
    await Promise.all([large, fast, full].map(subscribed));
    large.send('x'.repeat(1500));
    for (let i = 0; i < 3000; i += 1) fast.send({ type: 'ping' });
    send(full, { type: 'subscribe', topics: { other: null } });
    for (const client of [large, fast, full]) codes.push(await closeOf(client));

    const other = await signToken({ topics: ['other'] });
    for (const query of ['topic=chat&token=wrong', `topic=chat&token=${other}`])
      codes.push(await closeOf(connect(guarded, query)));
    const partly = connect(guarded, `topic=chat&topic=other&token=${other}`);
    const partlyStream = await stream(guarded, `topic=chat&topic=other&token=${other}`);
    await eventually(() => expect([...partly.ofType('error'), ...partlyStream.ofType('refused')]).toHaveLength(2));
    for (const query of ['topic=chat', `topic=chat&token=${other}`]) {
      await refuse(guarded, query);
    }

    const { privateKey } = await generateKeyPair('ES256');
    const signed = await new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    codes.push(await closeOf(connect(away, `topic=chat&token=${signed}`)));

    const many = connect(rated, 'topic=a');
    await subscribed(many);
    const topics = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`many/${i}`, null]));
    send(many, { type: 'subscribe', topics });
    send(many, { type: 'subscribe', topics: { last: null } });
    codes.push(await closeOf(many));

    const held = connect(leaving);
    await subscribed(held);
    leaving.kill('SIGTERM');
    await eventually(async () =>
      expect((await fetch(`http://127.0.0.1:${leaving.adminPort}/readyz`)).status).toBe(503),
    );
    codes.push(await closeOf(connect(leaving, 'topic=chat&tries=1')));
    await refuse(leaving, 'topic=chat&tries=1');
    codes.push(await closeOf(held));

    const described = description.channels.ws['x-close-codes'].map(({ code }: { code: number }) => code);
    expect([...new Set(codes)].sort()).toEqual(described.sort());
  });

  it('is right about connections that are refused', async () => {
    const [hosts, origins, addresses, full, rated] = await Promise.all([
      start('relay', { ALLOWED_HOSTS: 'push.example.org' }),
      start('relay', { ALLOWED_ORIGINS: 'https://a.example' }),
      start('relay', { MAX_CONNECTIONS_PER_ADDRESS: '1' }),
      start('relay', { MAX_CONNECTIONS: '1' }),
      start('relay', { CONNECTION_RATE: '1' }),
    ]);
    await Promise.all([addresses, full, rated].map((service) => subscribed(connect(service))));
    const topics = Array.from({ length: 129 }, (_, i) => `topic=${i}`).join('&');
    const elsewhere = { host: 'other.example' };
    const foreign = { origin: 'https://b.example' };
    const seen = [
      await refusedHandshake(relay, 'topic=a%20b'),
      await refusedHandshake(relay, 'topic=a&since=x'),
      await refusedHandshake(relay, topics),
      await refusedHandshake(hosts, 'topic=a', elsewhere),
      await refusedHandshake(origins, 'topic=a', foreign),
      await refusedHandshake(addresses, 'topic=a'),
      await refusedHandshake(full, 'topic=a'),
      await eventually(() => refusedHandshake(rated, 'topic=a')),
      await refusedHandshake(relay, 'topic=a', { 'sec-websocket-key': '*'.repeat(24) }),
      await refusedHandshake(relay, 'topic=a', { 'sec-websocket-version': '8' }),
    ];
    // Shown with `/topics/`, whose admission is the same; and a defect, which no request provokes.
    const { draining: _, internal_error: __, ...described } = description.channels.ws['x-errors'];
    expect(seen.sort()).toEqual(Object.keys(described).sort());

    for (const query of ['topic=a%20b', 'topic=a&since=x', topics, 'topic=a&format=xml']) await refuse(relay, query);
    await refuse(origins, 'topic=a', foreign);
    const post = await fetch(`http://127.0.0.1:${relay.port}/events?topic=a`, { method: 'POST' });
    refusals.add((await post.json()).code);
    const host = await sendRaw(hosts.port, 'GET /events?topic=a HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n');
    refusals.add(JSON.parse(parseWalked(host).body).code);
    const { internal_error: ___, ...ofStreams } = description.channels.events['x-errors'];
    expect([...refusals].sort()).toEqual(Object.keys(ofStreams).sort());
  });

  it('has every message that the relay has sent, and no others', async () => {
    await eventually(() => expect(early.ofType('ping')).not.toEqual([]), 30_000);
    const seen = new Set<string>();
    for (const message of clients.flatMap((client) => client.messages)) {
      expectDescribed('ws', 'send', message.type, message);
      seen.add(`ws/messages/${message.type}`);
      if (message.type === 'error') errors.add(message.code);
    }
    for (const { name, data } of streams.flatMap(({ events }) => events)) {
      expectDescribed('events', 'send', name, name === '' ? data : JSON.parse(data));
      seen.add(`events/messages/${keyOf(name)}`);
    }
    const sent = Object.values<Description>(description.operations)
      .filter(({ action }) => action === 'send')
      .flatMap(({ messages }) => messages.map(({ $ref }: { $ref: string }) => $ref.replace('#/channels/', '')));
    expect([...seen].sort()).toEqual(sent.sort());
    const { enum: codes } = description.components.messages.error.payload.properties.code;
    expect([...errors].sort()).toEqual([...codes].sort());
  });
});
