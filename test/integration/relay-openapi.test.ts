import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';
import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { relayOpenApi } from '../../services/relay/openapi.ts';
import { ContractWalk, parseWalked, readWalked } from '../support/contract.ts';
import { ENGINES } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { publishCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { sendRaw } from '../support/raw-http.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { JWT_SECRET, signToken, WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const PATHS = ['/topics/{topic}', '/topics/'];

/** What is sent to a path of topics. */
interface Sent {
  readonly topic?: string;
  readonly headers?: Record<string, string>;
}

describe.each(ENGINES)('with the engine %s, the OpenAPI description of the relay', (RELAY_ENGINE) => {
  const walk = new ContractWalk(relayOpenApi());
  const env = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), RELAY_ENGINE };
  const services: ServiceProcess[] = [];
  let relay: ServiceProcess;
  let webhook: ServiceProcess;

  const start = async (role: 'relay' | 'webhook', more: Record<string, string> = {}) => {
    const service = await startService(role, { ...env, DRAIN_WINDOW: '0s', ...more });
    services.push(service);
    return service;
  };

  beforeAll(async () => {
    [relay, webhook] = await Promise.all([start('relay'), start('webhook', { WEBHOOK_TOKENS: WEBHOOK_TOKEN })]);
  });
  afterAll(() => Promise.all(services.map((service) => service.stop('SIGKILL'))));

  /** Requests a path, and expects that the response is described. Returns its status, code and `ETag`. */
  async function call(port: number, path: string, method: string, { topic = 'chat', headers = {} }: Sent = {}) {
    const to = path === '/topics/' ? `/topics/?topic=${topic}` : path.replace('{topic}', encodeURIComponent(topic));
    const response = await readWalked(
      await fetch(`http://127.0.0.1:${port}${to}`, { method: method.toUpperCase(), headers }),
    );
    walk.expectDescribed(path, method, response);
    const code =
      response.contentType === 'application/problem+json' && response.body ? JSON.parse(response.body).code : '';
    return { status: response.status, code, etag: response.header('etag') ?? '', body: response.body };
  }

  /** Requests both paths by both methods. Returns the status, which is the same for all, and the code. */
  async function callAll(port: number, sent: Sent = {}): Promise<string> {
    const answers = new Set<string>();
    for (const path of PATHS) {
      const get = await call(port, path, 'get', sent);
      const head = await call(port, path, 'head', sent);
      expect(head.status).toBe(get.status);
      answers.add(`${get.status} ${get.code}`.trim());
    }
    return [...answers].join();
  }

  it('is valid OpenAPI 3.1', async () => {
    expect(await new Validator().validate(JSON.parse(JSON.stringify(walk.description)))).toEqual({ valid: true });
  });

  it('is what the relay serves, to pages of allowed origins', async () => {
    const response = await fetch(`http://127.0.0.1:${relay.port}/openapi.json`, {
      headers: { origin: 'https://a.example' },
    });
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(walk.description)));
    for (const method of ['get', 'head']) {
      for (const path of ['/openapi.json', '/relay/openapi.json']) {
        const { status, etag } = await call(relay.port, path, method);
        expect(status).toBe(200);
        expect(await call(relay.port, path, method, { headers: { 'if-none-match': etag } })).toMatchObject({
          status: 304,
        });
      }
    }
    for (const [path, code] of [
      ['/none', 'not_found'],
      ['/openapi.json', 'method_not_allowed'],
    ]) {
      const refused = await fetch(`http://127.0.0.1:${relay.port}${path}`, { method: 'POST' });
      expect(await refused.json()).toMatchObject({ code });
      walk.codes.add(String(code));
    }
  });

  it('is right about the register of a topic', async () => {
    const message = { topic: 'chat', data: { n: 1 }, spread: 5 };
    expect((await publishCall(webhook, WEBHOOK_TOKEN, message)).status).toBe(200);
    await eventually(async () => expect((await call(relay.port, '/topics/', 'get')).body).toContain('"n":1'));
    for (const path of PATHS) {
      expect(walk.isValid('/components/schemas/Register', JSON.parse((await call(relay.port, path, 'get')).body))).toBe(
        true,
      );
    }
    expect(await callAll(relay.port)).toBe('200');
    const { etag } = await call(relay.port, '/topics/', 'get');
    expect(await callAll(relay.port, { headers: { 'if-none-match': etag } })).toBe('304');
    expect(await callAll(relay.port, { topic: 'a b' })).toBe('400 invalid_topic');
    for (const path of PATHS) expect((await call(relay.port, path, 'options')).status).toBe(204);
    for (const path of ['/livez', '/readyz']) {
      for (const method of ['get', 'head']) expect((await call(relay.adminPort, path, method)).status).toBe(200);
    }
  });

  it('is right about clients without access', async () => {
    const limited = await start('relay', {
      SUBSCRIBE_AUTH: 'required',
      JWT_SECRET,
      ALLOWED_ORIGINS: 'https://a.example',
    });
    expect(await callAll(limited.port)).toBe('401 unauthorized');
    const authorization = `Bearer ${await signToken({ topics: ['other'] })}`;
    expect(await callAll(limited.port, { headers: { authorization } })).toBe('403 topic_forbidden');
    expect(await callAll(limited.port, { headers: { origin: 'https://b.example' } })).toBe('403 origin_forbidden');
    const away = await start('relay', { SUBSCRIBE_AUTH: 'required', JWKS_URL: 'http://127.0.0.1:9/keys' });
    const { privateKey } = await generateKeyPair('ES256');
    const signed = await new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    const asked = { headers: { authorization: `Bearer ${signed}` } };
    expect(await callAll(away.port, asked)).toBe('503 keys_unavailable');
  });

  it('is right about requests to another host', async () => {
    const limited = await start('relay', { ALLOWED_HOSTS: 'push.example.org' });
    const described = [...PATHS, '/openapi.json', '/relay/openapi.json'].flatMap((path) =>
      Object.keys(walk.description.paths[path]).map((method) => [path, method] as const),
    );
    for (const [path, method] of described) {
      const target = path.replace('{topic}', 'chat') + (path === '/topics/' ? '?topic=chat' : '');
      const received = await sendRaw(
        limited.port,
        `${method.toUpperCase()} ${target} HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n`,
      );
      walk.expectDescribed(path, method, parseWalked(received));
    }
    expect(walk.codes).toContain('host_forbidden');
  });

  it('is right about relays without room', async () => {
    const addresses = await start('relay', { MAX_CONNECTIONS_PER_ADDRESS: '1' });
    using _ = await WsClient.open(`ws://127.0.0.1:${addresses.port}/ws?topic=chat`);
    expect(await callAll(addresses.port)).toBe('429 too_many_connections');
    const full = await start('relay', { MAX_CONNECTIONS: '1' });
    using __ = await WsClient.open(`ws://127.0.0.1:${full.port}/ws?topic=chat`);
    expect(await callAll(full.port)).toBe('503 relay_full');
    const slow = await start('relay', { CONNECTION_RATE: '1' });
    await eventually(async () => {
      const { code } = await call(slow.port, '/topics/', 'get');
      expect(code).toBe('connecting_too_fast');
    });
  });

  it('is right about a relay that shuts down', async () => {
    const leaving = await start('relay', { DRAIN_WINDOW: '10s' });
    const clients = await Promise.all(
      Array.from({ length: 3 }, () => WsClient.open(`ws://127.0.0.1:${leaving.port}/ws?topic=chat`)),
    );
    // The relay accepts no new connections then.
    const socket = connect(leaving.port, '127.0.0.1');
    await once(socket, 'connect');
    leaving.kill('SIGTERM');
    await eventually(async () => expect(await leaving.metric('relay_draining')).toBe(1));
    socket.end('GET /topics/?topic=chat HTTP/1.1\r\nHost: relay\r\n\r\n');
    walk.expectDescribed('/topics/', 'get', parseWalked(await text(socket)));
    expect(walk.codes).toContain('draining');
    for (const method of ['get', 'head']) expect((await call(leaving.adminPort, '/readyz', method)).status).toBe(503);
    for (const client of clients) client.terminate();
  });

  it('is right about a stale relay', async () => {
    const redis = await RedisProcess.start();
    const stale = await start('relay', { REDIS_URL: redis.url });
    await redis.stop();
    await eventually(async () => expect((await call(stale.port, '/topics/', 'get')).code).toBe('not_fresh'));
    expect(await callAll(stale.port)).toBe('503 not_fresh');
  });

  it('has no response that was not seen, and no error code either', () => {
    // A defect, which no request provokes; and what the admin port, which is proved with the webhook, answers to any request.
    const always = [500, 408, 431];
    const ofAdminPort = /^\w+ \/(?:livez|readyz) 40[03]$/;
    expect(walk.unseen(always).filter((where) => !ofAdminPort.test(where))).toEqual([]);
    const { enum: codes } = walk.description.components.schemas.Problem.properties.code;
    expect([...walk.codes, 'internal_error'].sort()).toEqual([...codes].sort());
  });
});
