import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ERRORS_OF_EVERY_REQUEST } from '../../services/shared/contract/openapi.ts';
import { ERRORS } from '../../services/shared/errors.ts';
import { webhookOpenApi } from '../../services/webhook/openapi.ts';
import { ContractWalk, parseWalked, readWalked, sourcesFrom } from '../support/contract.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { sendRaw } from '../support/raw-http.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { signedHeaders, WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { sourcesFile } from '../support/sources-file.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';
import { WsClient } from '../support/ws-client.ts';

const BEARER = { authorization: `Bearer ${WEBHOOK_TOKEN}` };
const JSON_TYPE = { 'content-type': 'application/json' };
const TEXT_TYPE = { 'content-type': 'text/plain' };
const CHAT = '{"topic":"chat"}';
const PATH_TOKEN = 'a-token.of_the~tests';
/** A secret that permits other topics than those of the tests. */
const OTHER_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx';
const TOO_LARGE = 'x'.repeat(1024 * 1024 + 1);

/** A call: its operation in the description, and what is sent. */
interface Call {
  readonly path: string;
  readonly method?: string;
  readonly to?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

describe('the OpenAPI description of the webhook', () => {
  const prefix = randomPrefix();
  const walk = new ContractWalk(webhookOpenApi({ legacy: true }));
  const services: { stop(signal?: NodeJS.Signals): Promise<unknown> }[] = [];
  let webhook: ServiceProcess;
  let relay: ServiceProcess;
  let client: WsClient;
  const sources = sourcesFile(
    {
      standard: { verify: 'standard', secrets: [WEBHOOK_SECRET], topic: '{topic}', allow: ['chat', 'many/*'] },
      path: { verify: 'token', secrets: [PATH_TOKEN], topic: '{topic}', allow: ['chat', 'many/*'] },
    },
    afterAll,
  );

  const start = async (role: 'webhook' | 'relay', env: Record<string, string> = {}) => {
    const service = await startService(role, {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: prefix,
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      WEBHOOK_SECRETS: `${WEBHOOK_SECRET},${OTHER_SECRET}@other`,
      WEBHOOK_SOURCES: sources,
      LEGACY_WEBHOOK: 'true',
      DRAIN_WINDOW: '0s',
      MAX_WAITING_CALLS: '1',
      ...env,
    });
    services.push({ stop: () => service.stop('SIGKILL') });
    return service;
  };

  beforeAll(async () => {
    [webhook, relay] = await Promise.all([start('webhook'), start('relay')]);
    client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
  });
  afterAll(async () => {
    client?.terminate();
    await Promise.all(services.map((service) => service.stop()));
  });

  /** Calls a service, and expects that its response is described. Returns the status and the code of an error. */
  async function call({ port }: { port: number }, { path, method = 'post', to = path, headers = {}, body }: Call) {
    const response = await readWalked(
      await fetch(`http://127.0.0.1:${port}${to}`, {
        method: method.toUpperCase(),
        headers,
        ...(body === undefined ? {} : { body }),
      }),
    );
    walk.expectDescribed(path, method, response);
    const code =
      response.contentType === 'application/problem+json' && response.body !== '' ? JSON.parse(response.body).code : '';
    return `${response.status} ${code}`.trim();
  }

  const publish = (more: Partial<Call> = {}): Call => ({
    path: '/webhook',
    headers: { ...BEARER, ...JSON_TYPE },
    body: CHAT,
    ...more,
  });
  const topic = (more: Partial<Call> = {}): Call => ({
    path: '/webhook/{topic}',
    to: '/webhook/chat',
    headers: BEARER,
    ...more,
  });
  const source = (body = CHAT, headers: Record<string, string> = {}): Call => ({
    path: '/hooks/{name}',
    to: '/hooks/standard',
    headers: { ...signedHeaders(body), ...headers },
    body,
  });
  const pathSource = (more: Partial<Call> = {}): Call => ({
    path: '/hooks/{name}/{token}',
    to: `/hooks/path/${PATH_TOKEN}`,
    headers: JSON_TYPE,
    body: CHAT,
    ...more,
  });
  const versions = (query = 'topic=chat', headers: Record<string, string> = BEARER): Call => ({
    path: '/updates/current',
    method: 'get',
    to: `/updates/current?${query}`,
    headers,
  });
  const receipts = (target = '1?topic=chat', headers: Record<string, string> = BEARER): Call => ({
    path: '/updates/{version}',
    method: 'get',
    to: `/updates/${target}`,
    headers,
  });

  it('is valid OpenAPI 3.1, also without the legacy contract', async () => {
    for (const legacy of [true, false]) {
      const description = JSON.parse(JSON.stringify(webhookOpenApi({ legacy })));
      expect(await new Validator().validate(description)).toEqual({ valid: true });
      expect('/update_webhook.cgi' in description.paths).toBe(legacy);
    }
  });

  it('is what the service serves, to pages of every origin', async () => {
    const response = await fetch(`http://127.0.0.1:${webhook.port}/openapi.json`, {
      headers: { origin: 'https://a.example' },
    });
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(walk.description)));
    const etag = response.headers.get('etag') ?? '';
    for (const method of ['get', 'head']) {
      for (const path of ['/openapi.json', '/webhook/openapi.json']) {
        expect(await call(webhook, { path, method })).toBe('200');
        expect(await call(webhook, { path, method, headers: { 'if-none-match': etag } })).toBe('304');
      }
    }
    const refused = await readWalked(await fetch(`http://127.0.0.1:${webhook.port}/openapi.json`, { method: 'POST' }));
    expect(refused.status).toBe(405);
    walk.codes.add(JSON.parse(refused.body).code);
    const missing = await readWalked(await fetch(`http://127.0.0.1:${webhook.port}/none`));
    expect(missing.status).toBe(404);
    walk.codes.add(JSON.parse(missing.body).code);
  });

  it('has the routes of the service, and no others', () => {
    const text = readFileSync(new URL('../../services/webhook/webhook.ts', import.meta.url), 'utf8');
    const routes = [...text.matchAll(/app\.(?:all|get)\(\s*(?:'([^']+)'|OPENAPI_PATH|WEBHOOK_OPENAPI_PATH)/g)].map(
      ([call, path]) => {
        const route = path ?? (call.includes('WEBHOOK_') ? '/webhook/openapi.json' : '/openapi.json');
        return route.replace(/[:*](\w+)/g, '{$1}');
      },
    );
    const described = Object.keys(walk.description.paths).filter(
      (path) => !walk.description.paths[path].servers && path !== '/hooks/{name}/{token}',
    );
    // The root is for people.
    expect(described.sort()).toEqual(routes.filter((route) => route !== '/').sort());
  });

  it('has every error code that the code of the service can answer, and no others', () => {
    const text = sourcesFrom(new URL('../../services/webhook/webhook.ts', import.meta.url)).replace(
      /[!=]== '\w+'/g,
      '',
    );
    const inCode = Object.keys(ERRORS).filter((code) => text.includes(`'${code}'`));
    // The broker answers for Redis, which the service does not import.
    const ofBroker = ['broker_unavailable', 'not_replicated'];
    const described = walk.description.components.schemas.Problem.properties.code.enum;
    expect([...described].sort()).toEqual([...new Set([...inCode, ...ofBroker])].sort());
  });

  it('is right about calls that succeed', async () => {
    expect(await call(webhook, publish({ to: '/webhook?wait=delivered' }))).toBe('200');
    expect(await call(webhook, publish({ headers: signedHeaders(CHAT) }))).toBe('200');
    expect(await call(webhook, publish({ to: '/webhook?topic=chat', body: 'any' }))).toBe('200');
    expect(await call(webhook, topic({ to: '/webhook/chat?data=body&spread=5', body: '{"n":1}' }))).toBe('200');
    expect(await call(webhook, source())).toBe('200');
    expect(await call(webhook, pathSource())).toBe('200');
    for (const method of ['get', 'head']) {
      expect(await call(webhook, { ...versions(), method })).toBe('200');
      expect(await call(webhook, { ...receipts(), method })).toBe('200');
      for (const path of ['/livez', '/readyz']) {
        expect(await call({ port: webhook.adminPort }, { path, method })).toBe('200');
      }
    }
    for (const method of ['get', 'post'])
      expect(await call(webhook, { path: '/update_webhook.cgi', method })).toBe('200');
  });

  it('is right about calls that are refused', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `many/${i}`);
    const bodies: [body: string, refusal: string][] = [
      ['{', '400 invalid_json'],
      ['{}', '400 invalid_request'],
      ['{"topic":"chat","dat":1}', '400 unknown_member'],
      ['{"topic":"a b"}', '400 invalid_topic'],
      [JSON.stringify({ topics: many(101) }), '400 too_many_topics'],
    ];
    for (const [body, refusal] of bodies) {
      expect(await call(webhook, publish({ body }))).toBe(refusal);
      expect(await call(webhook, { ...topic(), to: '/webhook/a%20b?data=body', body })).toBe('400 invalid_topic');
    }
    const signed = signedHeaders(CHAT);
    const credentials: [headers: Record<string, string>, refusal: string][] = [
      [{}, '401 unauthorized'],
      [{ ...signed, 'webhook-signature': 'v1,none' }, '401 invalid_signature'],
      [signedHeaders(CHAT, { ageS: 400 }), '401 invalid_timestamp'],
      [{ ...signed, 'webhook-id': 'a b' }, '400 invalid_webhook_id'],
      [signedHeaders(CHAT, { secret: OTHER_SECRET }), '403 topic_forbidden'],
    ];
    for (const [headers, refusal] of credentials) {
      expect(await call(webhook, publish({ headers: { ...JSON_TYPE, ...headers } }))).toBe(refusal);
      expect(await call(webhook, topic({ headers, body: CHAT }))).toBe(refusal);
    }
    const ofQuery: [headers: Record<string, string>, refusal: string][] = [
      [{}, '401 unauthorized'],
      [signedHeaders('', { secret: OTHER_SECRET }), '403 topic_forbidden'],
    ];
    for (const method of ['get', 'head']) {
      const shown = (refusal: string) => (method === 'head' ? refusal.slice(0, 3) : refusal);
      for (const [headers, refusal] of ofQuery) {
        expect(await call(webhook, { ...versions('topic=chat', headers), method })).toBe(shown(refusal));
        expect(await call(webhook, { ...receipts('1?topic=chat', headers), method })).toBe(shown(refusal));
      }
      const tooMany = new URLSearchParams(many(101).map((name) => ['topic', name]));
      expect(await call(webhook, { ...versions(`${tooMany}`), method })).toBe(shown('400 too_many_topics'));
      expect(await call(webhook, { ...receipts('x?topic=chat'), method })).toBe(shown('400 invalid_request'));
      expect(await call(webhook, { ...receipts('1?topic=none'), method })).toBe(shown('404 unknown_update'));
    }
    for (const make of [publish, topic]) {
      const id = { 'webhook-id': `reused ${make.name}`.replace(' ', '-') };
      expect(await call(webhook, make({ headers: { ...BEARER, ...JSON_TYPE, ...id }, body: CHAT }))).toBe('200');
      const other = make({ headers: { ...BEARER, ...JSON_TYPE, ...id }, body: '{"topic":"chat","data":1}' });
      expect(await call(webhook, other)).toBe('409 webhook_id_reused');
      expect(await call(webhook, make({ body: TOO_LARGE }))).toBe('413 body_too_large');
    }
    expect(await call(webhook, publish({ headers: { ...BEARER, ...TEXT_TYPE } }))).toBe('415 unsupported_media_type');
    const compressed = { ...BEARER, 'content-encoding': 'gzip' };
    expect(await call(webhook, topic({ to: '/webhook/chat?data=body', headers: compressed, body: '1' }))).toBe(
      '415 unsupported_media_type',
    );
  });

  it('is right about deliveries that are refused', async () => {
    const batch = JSON.stringify(Array.from({ length: 1001 }, (_, i) => ({ topic: `many/${i}` })));
    const bodies: [body: string, refusal: string][] = [
      ['{', '400 invalid_json'],
      [batch, '400 too_many_topics'],
      ['{"topic":"elsewhere"}', '403 topic_forbidden'],
      ['{"topic":7.5e300}', '422 unmatched_event'],
      [TOO_LARGE, '413 body_too_large'],
    ];
    for (const [body, refusal] of bodies) {
      expect(await call(webhook, source(body))).toBe(refusal);
      expect(await call(webhook, pathSource({ body }))).toBe(refusal);
    }
    const signature = { 'webhook-signature': `v1,${'A'.repeat(43)}=` };
    expect(await call(webhook, source(CHAT, signature))).toBe('401 invalid_signature');
    expect(await call(webhook, { ...source(), headers: JSON_TYPE })).toBe('401 unauthorized');
    expect(await call(webhook, { ...source(), to: '/hooks/none' })).toBe('404 unknown_source');
    expect(await call(webhook, pathSource({ to: '/hooks/path/wrong' }))).toBe('401 unauthorized');
    expect(await call(webhook, pathSource({ to: '/hooks/none/wrong' }))).toBe('404 unknown_source');
  });

  it('is right about which bodies are publish requests', () => {
    const accepts = (body: unknown) => walk.isValid('/components/schemas/PublishBody', body);
    const updates = [{ topic: 'chat' }, { topics: ['a', 'b//c'], data: null, spread: 0 }];
    for (const body of [...updates, { updates }]) expect(accepts(body)).toBe(true);
    for (const body of [
      {},
      { topic: 'a b' },
      { topic: 'a', topics: ['b'] },
      { topics: [] },
      { topic: 'a', dat: 1 },
      { updates: [] },
      { updates: [{}] },
    ]) {
      expect(accepts(body)).toBe(false);
    }
  });

  it('is right about requests that are not for the service', async () => {
    const limited = await start('webhook', { ALLOWED_HOSTS: 'push.example.org', HEADER_TIMEOUT: '100ms' });
    const head = 'POST /webhook HTTP/1.1\r\nHost: push.example.org\r\n';
    for (const request of [
      head,
      `${head}X: ${'x'.repeat(20_000)}\r\n\r\n`,
      'NONSENSE\r\n\r\n',
      `${head.replace('push', 'other')}\r\n`,
    ]) {
      walk.expectDescribed('/webhook', 'post', parseWalked(await sendRaw(limited.port, request)));
    }
    expect([...walk.codes]).toEqual(expect.arrayContaining(['request_timeout', 'headers_too_large', 'host_forbidden']));
  });

  it('is right about callers with too many calls', async () => {
    const limited = await start('webhook', { WEBHOOK_RATE: '1' });
    const topics = Array.from({ length: 100 }, (_, i) => `many/${i}`);
    expect(await call(limited, publish({ body: JSON.stringify({ topics }) }))).toBe('200');
    for (const make of [publish, topic]) expect(await call(limited, make())).toBe('429 rate_limited');
    for (const method of ['get', 'head']) {
      expect(await call(limited, { ...versions(), method })).toMatch(/^429/);
      expect(await call(limited, { ...receipts(), method })).toMatch(/^429/);
    }
    const batch = JSON.stringify(topics.map((name) => ({ topic: name })));
    expect(await call(limited, source(batch))).toBe('200');
    expect(await call(limited, source())).toBe('429 rate_limited');
    expect(await call(limited, pathSource({ body: batch }))).toBe('200');
    expect(await call(limited, pathSource())).toBe('429 rate_limited');
  });

  it('is right about updates that a relay does not confirm', async () => {
    relay.kill('SIGSTOP');
    try {
      const waits = [
        publish({ to: '/webhook?wait=delivered&timeout=2s' }),
        topic({ to: '/webhook/chat?wait=delivered&timeout=2s' }),
      ];
      for (const wait of waits) {
        const answers = await Promise.all([call(webhook, wait), call(webhook, wait)]);
        expect(answers.sort()).toEqual(['202', '503 too_many_waiting']);
      }
    } finally {
      relay.kill('SIGCONT');
    }
  });

  it('is right about Redis without replicas', async () => {
    const env = { PUBLISH_WAIT_REPLICAS: '1', REDIS_TIMEOUT: '8s', HELIOGRAPH_PREFIX: randomPrefix() };
    const two = await Promise.all([start('webhook', env), start('webhook', env)]);
    const same = publish({ headers: { ...BEARER, ...JSON_TYPE, 'webhook-id': 'msg_1' } });
    const answers = await Promise.all(two.map((service) => call(service, same)));
    expect(answers.sort()).toEqual(['503 call_in_progress', '503 not_replicated']);
  });

  it('is right about Redis that is away', async () => {
    const redis = await RedisProcess.start();
    const cut = await start('webhook', { REDIS_URL: redis.url });
    await redis.stop();
    const calls = [publish(), topic(), source(), pathSource(), { path: '/update_webhook.cgi', headers: {} }];
    for (const made of calls) expect(await call(cut, made)).toBe('503 broker_unavailable');
    expect(await call(cut, { path: '/update_webhook.cgi', method: 'get' })).toBe('503 broker_unavailable');
    for (const method of ['get', 'head']) {
      expect(await call(cut, { ...versions(), method })).toMatch(/^503/);
      expect(await call(cut, { ...receipts(), method })).toMatch(/^503/);
    }
    const unready = await startService(
      'webhook',
      { REDIS_URL: redis.url, WEBHOOK_TOKENS: WEBHOOK_TOKEN },
      { until: 'livez' },
    );
    services.push({ stop: () => unready.stop('SIGKILL') });
    for (const method of ['get', 'head']) {
      expect(await call({ port: unready.adminPort }, { path: '/readyz', method })).toBe('503');
    }
  });

  it('is right about more bodies than fit in memory', async () => {
    const length = 1024 * 1024;
    const head = `POST /webhook/chat HTTP/1.1\r\nHost: a\r\nAuthorization: ${BEARER.authorization}\r\nContent-Length: ${length}\r\n\r\n`;
    const unfinished = Array.from({ length: 18 }, () => sendRaw(webhook.port, head, Buffer.alloc(length - 1)));
    walk.expectDescribed('/webhook/{topic}', 'post', parseWalked(await Promise.race(unfinished)));
    expect(walk.codes).toContain('too_many_bodies');
  });

  it('is right about defects', async () => {
    const broker = new RecordingBroker();
    broker.publishAll = () => Promise.reject(new TypeError('a mistake'));
    const broken = await startWebhook({ broker });
    services.push(broken);
    expect(await call(broken, publish())).toBe('500 internal_error');
  });

  it('has no response that was not seen, and no error code either', () => {
    const statuses = ERRORS_OF_EVERY_REQUEST.map((code) => ERRORS[code].status);
    const always = statuses.filter((status) => status !== 400 && status !== 403);
    expect(walk.unseen(always).filter((where) => !isOfEveryRequest(where))).toEqual([]);
    expect([...walk.codes].sort()).toEqual(
      [...walk.description.components.schemas.Problem.properties.code.enum].sort(),
    );
  });

  /** Whether a response has only the errors that every request can have, which one operation has shown. */
  function isOfEveryRequest(where: string): boolean {
    const [method = '', path = '', status = ''] = where.split(' ');
    const operation = walk.description.paths[path][method].responses[status];
    const codes: string[] = operation.content?.['application/problem+json']?.schema.properties.code.enum ?? [];
    const of = method === 'head' ? walk.description.paths[path].get.responses[status].content : undefined;
    const all: string[] = of?.['application/problem+json']?.schema.properties.code.enum ?? codes;
    return all.length > 0 && all.every((code) => (ERRORS_OF_EVERY_REQUEST as readonly string[]).includes(code));
  }
});
