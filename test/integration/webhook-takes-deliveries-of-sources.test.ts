import { createHmac } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../services/shared/clock.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { AppError } from '../../services/shared/errors.ts';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { readSources } from '../../services/webhook/sources/source.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { sendRaw } from '../support/raw-http.ts';
import { readmeExample } from '../support/readme-example.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { startService } from '../support/service-process.ts';
import { signedHeaders, WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { sourcesFile } from '../support/sources-file.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';

const SECRET = 'a secret of the tests';
const TOKEN = 'a-token.of_the~tests';
const JSON_TYPE = { 'content-type': 'application/json' };
const REPO = { verify: 'github', secrets: [SECRET], topic: 'repo/{repository.full_name}' };

/** A delivery: what a sender sends to `/hooks/<path>`. */
interface Delivery {
  readonly path?: string;
  readonly body: string;
  readonly headers: Record<string, string>;
}

/** Starts a webhook with these sources; its clock may stand still. */
async function start(
  sources: Record<string, object>,
  clock: Partial<Clock> = {},
  settings: { pointsPerSecond?: number } = {},
) {
  const env = new EnvReader({ WEBHOOK_SOURCES: sourcesFile(sources) });
  const broker = new RecordingBroker();
  const config = { sources: readSources(env), ...settings };
  env.finish();
  const webhook = await startWebhook({ broker, config, clock });
  onTestFinished(() => webhook.stop());
  return {
    ...webhook,
    broker,
    topics: () => broker.published.map(({ topic }) => topic),
    deliver: ({ path = 'sender', body, headers }: Delivery) =>
      fetch(`${webhook.url}/hooks/${path}`, { method: 'POST', headers, body: Buffer.from(body) }),
  };
}

/** What a verifier accepts, made by the library of its vendor, and another delivery with the same signature. */
const vendors: Record<string, { secrets: string[]; deliver(body: string, id: string): Promise<Delivery> }> = {
  github: {
    secrets: [SECRET],
    deliver: async (body, id) => ({
      body,
      headers: { ...JSON_TYPE, 'X-Hub-Signature-256': await sign(SECRET, body), 'X-GitHub-Delivery': id },
    }),
  },
  stripe: {
    secrets: [SECRET],
    deliver: async (body, id) => {
      const payload = JSON.stringify({ ...JSON.parse(body), id, pending_webhooks: Math.random() });
      const signature = new Stripe('sk_test_x').webhooks.generateTestHeaderString({ payload, secret: SECRET });
      return { body: payload, headers: { ...JSON_TYPE, 'Stripe-Signature': signature } };
    },
  },
  standard: {
    secrets: [WEBHOOK_SECRET],
    deliver: async (body, id) => ({ body, headers: signedHeaders(body, { id }) }),
  },
  'standard, by the header names of Svix,': {
    secrets: [WEBHOOK_SECRET],
    deliver: async (body, id) => {
      const at = new Date();
      const signature = new SvixWebhook(WEBHOOK_SECRET).sign(id, at, body);
      const timestamp = String(Math.floor(at.getTime() / 1000));
      const headers = { 'svix-id': id, 'svix-timestamp': timestamp, 'svix-signature': signature };
      return { body, headers: { ...JSON_TYPE, ...headers } };
    },
  },
  shopify: {
    secrets: [SECRET],
    deliver: async (body, id) => ({
      body,
      headers: {
        ...JSON_TYPE,
        'X-Shopify-Hmac-SHA256': createHmac('sha256', SECRET).update(body).digest('base64'),
        'X-Shopify-Webhook-Id': id,
      },
    }),
  },
  basic: {
    secrets: [`sender:${SECRET}`],
    deliver: async (body, id) => ({
      body,
      headers: { Authorization: `Basic ${btoa(`sender:${SECRET}`)}`, 'webhook-id': id },
    }),
  },
  token: {
    secrets: [TOKEN],
    deliver: async (body, id) => ({ body, path: `sender/${TOKEN}`, headers: { 'webhook-id': id } }),
  },
};

describe.each(Object.entries(vendors))('a delivery verified by %s', (name, { secrets, deliver }) => {
  const [verify] = name.split(',');
  const sources = { sender: { verify, secrets: [...secrets], topic: 'order/{order.id}' } };
  const order = (id: number | string) => JSON.stringify({ order: { id } });

  it('publishes the topic that the template names', async () => {
    const webhook = await start(sources);
    const response = await webhook.deliver(await deliver(order(7), 'd-1'));
    expect(await response.json()).toMatchObject({ updates: [{ topic: 'order/7', version: 1 }] });
    expect(webhook.topics()).toEqual(['order/7']);
    await eventually(async () =>
      expect(await webhook.registry.metrics()).toContain(
        'webhook_source_calls_total{source="sender",outcome="accepted"} 1',
      ),
    );
  });

  it('is published once, however often it is repeated', async () => {
    const webhook = await start(sources);
    for (const id of ['d-1', 'd-1', 'd-2'])
      expect((await webhook.deliver(await deliver(order(7), id))).status).toBe(200);
    expect(webhook.topics()).toHaveLength(2);
  });

  it('is refused if it was made with another secret, and publishes nothing', async () => {
    const others = {
      standard: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx',
      basic: `sender:${SECRET}x`,
      token: `${TOKEN}x`,
    };
    const other = { ...others, [verify ?? '']: others[verify as keyof typeof others] ?? `${SECRET}x` }[verify ?? ''];
    const webhook = await start({ sender: { ...sources.sender, secrets: [other] } });
    const code = verify === 'basic' || verify === 'token' ? 'unauthorized' : 'invalid_signature';
    await expectProblem(await webhook.deliver(await deliver(order(7), 'd-1')), 401, code);
    expect(webhook.topics()).toEqual([]);
    await eventually(async () =>
      expect(await webhook.registry.metrics()).toContain('{source="sender",outcome="unverified"} 1'),
    );
  });

  it('is accepted with any of the secrets, as during a rotation', async () => {
    const [secret = ''] = secrets;
    const another = verify === 'standard' ? 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx' : `${secret}2`;
    const webhook = await start({ sender: { ...sources.sender, secrets: [another, secret] } });
    expect((await webhook.deliver(await deliver(order(7), 'd-1'))).status).toBe(200);
  });

  it('is refused without credentials, with the words that its sender needs', async () => {
    const webhook = await start(sources);
    const response = await webhook.deliver({ body: order(7), headers: JSON_TYPE });
    if (verify === 'basic') expect(response.headers.get('www-authenticate')).toBe('Basic realm="heliograph"');
    const { code, detail } = await response.json();
    expect([response.status, code]).toEqual([401, 'unauthorized']);
    expect(detail).toMatch(/^The (header \S+ is missing: .+|path must end with the token of this source)$/);
  });

  it('is limited after 60 wrong ones from its address, unless it is verified without its body', async () => {
    const webhook = await start(sources, { monotonicMs: () => 0 });
    const good = await deliver(order(7), 'd-1');
    const entries = Object.entries(good.headers).map(([header, value]) => [
      header,
      value.replace(/(?<=^Basic )\w/, 'A'),
    ]);
    const bad = {
      ...good,
      ...(good.path && { path: 'sender/x' }),
      body: order(8),
      headers: Object.fromEntries(entries),
    };
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await webhook.deliver(bad)).status));
    expect(new Set(statuses)).toEqual(new Set([401]));
    await expectProblem(await webhook.deliver(bad), 429, 'rate_limited');
    const needsBody = verify !== 'basic' && verify !== 'token';
    expect((await webhook.deliver(good)).status).toBe(needsBody ? 429 : 200);
    await eventually(async () =>
      expect(await webhook.registry.metrics()).toContain(`{source="sender",outcome="limited"} ${needsBody ? 2 : 1}`),
    );
  });
});

it('deliveries to a source are counted by how they end', async () => {
  const webhook = await start({ sender: { ...REPO, topic: 'chat' } }, { monotonicMs: () => 0 }, { pointsPerSecond: 5 });
  const delivery = { body: 'x', headers: { 'X-Hub-Signature-256': await sign(SECRET, 'x') } };
  const counted = (outcome: string, count: number) =>
    eventually(async () => {
      expect(await webhook.registry.metrics()).toContain(`{source="sender",outcome="${outcome}"} ${count}`);
    });
  webhook.broker.failWith = new AppError('broker_unavailable');
  expect((await webhook.deliver(delivery)).status).toBe(503);
  await counted('failed', 1);
  webhook.broker.failWith = undefined;
  while ((await webhook.deliver(delivery)).status === 200);
  await counted('limited', 1);
  await counted('accepted', webhook.broker.published.length);
});

describe('a signature', () => {
  const vectors: [string, object, Delivery, number?][] = [
    [
      'of the documentation of GitHub',
      { verify: 'github', secrets: ["It's a Secret to Everybody"], topic: 'chat' },
      {
        body: 'Hello, World!',
        headers: { 'X-Hub-Signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' },
      },
    ],
    [
      'of the documentation of Svix, which Standard Webhooks shares',
      { verify: 'standard', secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], topic: 'chat' },
      {
        body: '{"test": 2432232314}',
        headers: {
          'svix-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
          'svix-timestamp': '1614265330',
          'svix-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
        },
      },
      1_614_265_330_000,
    ],
  ];

  it.each(vectors)('%s is accepted', async (_, source, delivery, nowMs) => {
    const webhook = await start({ sender: source }, nowMs === undefined ? {} : { nowMs: () => nowMs });
    expect((await webhook.deliver(delivery)).status).toBe(200);
    expect((await webhook.deliver({ ...delivery, body: `${delivery.body} ` })).status).toBe(401);
  });

  it.each<[string, Record<string, string>, string]>([
    ['github', { 'x-hub-signature-256': 'sha1=757107ea' }, 'invalid_signature'],
    ['github', { 'x-hub-signature-256': '' }, 'invalid_signature'],
    ['stripe', { 'stripe-signature': 't=,v1=' }, 'invalid_timestamp'],
    ['stripe', { 'stripe-signature': `t=NOW,v0=${'a'.repeat(64)}` }, 'invalid_signature'],
    ['stripe', { 'stripe-signature': 't=NOW,v1=abc' }, 'invalid_signature'],
    ['stripe', { 'stripe-signature': `t=1492774577,v1=${'a'.repeat(64)}` }, 'invalid_timestamp'],
    ['shopify', { 'x-shopify-hmac-sha256': 'abc' }, 'invalid_signature'],
    ['standard', { 'webhook-id': 'a', 'webhook-timestamp': 'NOW', 'webhook-signature': 'abc' }, 'invalid_signature'],
    ['standard', { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': 'v1,a' }, 'invalid_timestamp'],
    ['basic', { authorization: 'Basic !' }, 'unauthorized'],
  ])('of %s in another format is refused before the body is read', async (verify, headers, code) => {
    const secrets = { standard: WEBHOOK_SECRET, basic: `sender:${SECRET}` };
    const secret = secrets[verify as keyof typeof secrets] ?? SECRET;
    const webhook = await start({ sender: { verify, secrets: [secret], topic: 'chat' } });
    const now = String(Math.floor(Date.now() / 1000));
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.replace('NOW', now)}\r\n`);
    const head = `POST /hooks/sender HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}Content-Length: 1000000\r\n\r\n`;
    const received = await sendRaw(webhook.port, head);
    expect(received).toMatch(/^HTTP\/1\.1 401 /);
    expect(received).toContain(`"code":"${code}"`);
  });

  it('of a body of more than 1 MiB is not computed', async () => {
    const webhook = await start({ sender: { ...REPO, topic: 'chat' } });
    const body = 'x'.repeat(1024 * 1024 + 1);
    await expectProblem(
      await webhook.deliver({ body, headers: { 'X-Hub-Signature-256': await sign(SECRET, body) } }),
      413,
      'body_too_large',
    );
  });
});

describe('an event', () => {
  const github = async (body: string, headers: Record<string, string> = JSON_TYPE): Promise<Delivery> => ({
    body,
    headers: { ...headers, 'X-Hub-Signature-256': await sign(SECRET, body) },
  });

  it.each<[string, string, string[]]>([
    ['repo/{repository.full_name}', '{"repository":{"full_name":"octo-org/octo-repo"}}', ['repo/octo-org/octo-repo']],
    ['{a}:{b.0}-{c}', '{"a":1,"b":["x"],"c":true}', ['1:x-true']],
    ['fixed', 'not JSON', ['fixed']],
    ['fixed', ' ', ['fixed']],
    ['fixed', '[1,2]', ['fixed']],
    ['t/{id}', '[{"id":1},{"id":2},{"id":1}]', ['t/1', 't/2']],
  ])('by the template %s of %s publishes %s', async (topic, body, topics) => {
    const webhook = await start({ sender: { ...REPO, topic, allow: ['*'] } });
    expect((await webhook.deliver(await github(body))).status).toBe(200);
    expect(webhook.topics()).toEqual(topics);
  });

  it.each([
    ['{}', 'The topic needs "repository.full_name" of the event, which is missing'],
    ['{"repository":{"full_name":null}}', 'The topic needs "repository.full_name" of the event, which is null'],
    ['{"repository":{"full_name":""}}', 'The topic needs "repository.full_name" of the event, which is empty'],
    ['{"repository":{"full_name":{}}}', 'The topic needs "repository.full_name" of the event, which is an object'],
    ['{"repository":{"full_name":[]}}', 'The topic needs "repository.full_name" of the event, which is a list'],
    [
      '{"repository":{"full_name":9007199254740993}}',
      'The topic needs "repository.full_name" of the event, which is a number of too many digits',
    ],
    [
      '{"repository":{"full_name":"a b"}}',
      'The template "repo/{repository.full_name}" gives "repo/a b", which cannot be a topic',
    ],
    ['"text"', 'The topic needs "repository.full_name" of the event, which is missing'],
    ['[]', 'The body is a list without events'],
    ['[{"repository":{"full_name":"a"}},{}]', 'The topic needs "repository.full_name" of the event, which is missing'],
  ])('that does not fit, %s, gets 422 with the reason', async (body, detail) => {
    const webhook = await start({ sender: REPO });
    const response = await webhook.deliver(await github(body));
    const problem = await response.json();
    expect([response.status, problem.code, problem.detail]).toEqual([422, 'unmatched_event', detail]);
    expect(webhook.topics()).toEqual([]);
    await eventually(async () =>
      expect(await webhook.registry.metrics()).toContain('{source="sender",outcome="unmatched"} 1'),
    );
  });

  it('never takes members that every object has', async () => {
    const webhook = await start({ sender: { ...REPO, topic: 't/{constructor.name}' } });
    await expectProblem(await webhook.deliver(await github('{}')), 422, 'unmatched_event');
  });

  it('of a topic that is not allowed gets 403 with the topic', async () => {
    const webhook = await start({ sender: { ...REPO, allow: ['repo/octo-org/*', 'repo/one'] } });
    const event = (name: string) => github(JSON.stringify({ repository: { full_name: name } }));
    for (const name of ['octo-org/x', 'one']) expect((await webhook.deliver(await event(name))).status).toBe(200);
    const response = await webhook.deliver(await event('two'));
    const { detail } = await response.json();
    expect(detail).toBe('"allow" of the source "sender" does not have the topic repo/two');
    expect([response.status, webhook.topics()]).toEqual([403, ['repo/octo-org/x', 'repo/one']]);
  });

  it('in another format gets 400 with the format to choose', async () => {
    const webhook = await start({ sender: REPO });
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await webhook.deliver(await github('payload=%7B%7D', form));
    const { code, detail } = await response.json();
    expect(code).toBe('invalid_json');
    expect(detail).toContain('the body is application/x-www-form-urlencoded: choose application/json at the sender');
  });

  it('to a name that is not a source gets 404 with the setting, and other methods get 405', async () => {
    const webhook = await start({ sender: REPO });
    for (const path of ['unknown', `unknown/${TOKEN}`, 'constructor', 'Sender']) {
      await expectProblem(await webhook.deliver({ path, body: '', headers: {} }), 404, 'unknown_source');
    }
    await expectProblem(await fetch(`${webhook.url}/hooks/sender`), 405, 'method_not_allowed');
    await expectProblem(await webhook.deliver({ path: '', body: '', headers: {} }), 404, 'not_found');
  });

  it('that was sent to /webhook gets 401 with the way to a source', async () => {
    const webhook = await start({ sender: REPO });
    const delivery = await github('{}');
    const response = await fetch(`${webhook.url}/webhook`, { method: 'POST', ...delivery });
    const { detail } = await response.json();
    expect(detail).toContain('deliveries of GitHub go to /hooks/<name>, for a source in WEBHOOK_SOURCES');
  });
});

describe('the data of a source', () => {
  const deliver = async (source: object, body: string, headers: Record<string, string> = JSON_TYPE) => {
    const webhook = await start({ sender: { verify: 'token', secrets: [TOKEN], topic: 'chat', ...source } });
    const response = await webhook.deliver({ path: `sender/${TOKEN}`, body, headers });
    const { code, detail } = await response.json();
    const published = webhook.broker.published.map(({ topic, body: { data } }) => [topic, data]);
    return { status: response.status, code, detail, published };
  };
  const STRUCTURED = { 'content-type': 'application/cloudevents+json' };
  const event = '{"specversion":"1.0","id":"e-1","source":"/orders","type":"paid","data":{"order": 7.0}}';
  const binary = { ...JSON_TYPE, 'ce-specversion': '1.0', 'ce-id': 'e-1', 'ce-source': '/orders', 'ce-type': 'paid' };

  it.each<[string, object, string, Record<string, string>, [string, unknown][]]>([
    ['nothing by default', {}, '{"a":1}', JSON_TYPE, [['chat', undefined]]],
    [
      'the whole event, as it was sent',
      { data: true },
      '{ "a": 1.0, "b": [9007199254740993] }',
      JSON_TYPE,
      [['chat', '{"a":1.0,"b":[9007199254740993]}']],
    ],
    ['a whole list', { data: true }, '[{"a":1}, 2]', JSON_TYPE, [['chat', '[{"a":1},2]']]],
    ['a member', { data: 'a.b' }, '{"a":{"b":{"c" : null}}}', JSON_TYPE, [['chat', '{"c":null}']]],
    ['a member that is null', { data: 'after' }, '{"after":null}', JSON_TYPE, [['chat', 'null']]],
    ['an item of a list', { data: 'items.1' }, '{"items":["a","b"]}', JSON_TYPE, [['chat', '"b"']]],
    [
      'the last event of each topic of a batch',
      { topic: 't/{id}', data: 'n' },
      '[{"id":1,"n":1},{"id":2,"n":2},{"id":1,"n":3.0}]',
      JSON_TYPE,
      [
        ['t/1', '3.0'],
        ['t/2', '2'],
      ],
    ],
    ['the data of a CloudEvent', { data: true }, event, STRUCTURED, [['chat', '{"order":7.0}']]],
    ['a member of a CloudEvent', { data: 'data.order' }, event, STRUCTURED, [['chat', '7.0']]],
    ['an attribute of a CloudEvent', { data: 'type' }, event, STRUCTURED, [['chat', '"paid"']]],
    [
      'no data of a CloudEvent without any',
      { data: true },
      event.replace(/,"data.*/, '}'),
      STRUCTURED,
      [['chat', undefined]],
    ],
    ['the body of a CloudEvent in binary mode', { data: true }, '{"order": 7.0}', binary, [['chat', '{"order":7.0}']]],
    ['a member of a CloudEvent in binary mode', { data: 'data.order' }, '{"order": 7.0}', binary, [['chat', '7.0']]],
    ['an attribute in binary mode, whatever the body is', { data: 'type' }, 'text', binary, [['chat', '"paid"']]],
    [
      'the data of each CloudEvent of a batch',
      { topic: 'orders/{id}', data: true },
      `[${event},${event.replace('e-1', 'e-2').replace('7.0', '8.0')}]`,
      { 'content-type': 'application/cloudevents-batch+json' },
      [
        ['orders/e-1', '{"order":7.0}'],
        ['orders/e-2', '{"order":8.0}'],
      ],
    ],
  ])('is %s', async (_, source, body, headers, published) => {
    expect(await deliver(source, body, headers)).toMatchObject({ status: 200, published });
  });

  it.each<[string, object, string, Record<string, string>, number, string, string]>([
    [
      'a member that is missing',
      { data: 'a.b' },
      '{"a":1}',
      JSON_TYPE,
      422,
      'unmatched_event',
      '"data" of the source needs "a.b" of the event, which is missing',
    ],
    [
      'a body that is not JSON',
      { data: true },
      'a=1',
      { 'content-type': 'application/x-www-form-urlencoded' },
      400,
      'invalid_json',
      'choose application/json at the sender',
    ],
    ['no body', { data: true }, '', {}, 400, 'invalid_json', 'This source needs events in JSON'],
    [
      'a binary body that is not JSON',
      { data: true },
      'text',
      binary,
      400,
      'invalid_json',
      'This source needs events in JSON',
    ],
    [
      'data of more than 64 KiB',
      { data: 'a' },
      `{"a":"${'x'.repeat(65_536)}"}`,
      JSON_TYPE,
      413,
      'body_too_large',
      'data is larger than 64 KiB',
    ],
    [
      'data that is nested too deep',
      { data: true },
      '['.repeat(65) + ']'.repeat(65),
      JSON_TYPE,
      400,
      'invalid_request',
      'nested deeper than 64 levels',
    ],
  ])(
    'is refused with a reason for %s, and nothing is published',
    async (_, source, body, headers, status, code, detail) => {
      const result = await deliver(source, body, headers);
      expect(result).toMatchObject({ status, code, published: [] });
      expect(result.detail).toContain(detail);
    },
  );

  it.each(['', 'a..b', false, null, 1, {}])('is chosen by true or a name, not by %j', (data) => {
    const env = new EnvReader({
      WEBHOOK_SOURCES: sourcesFile({ sender: { verify: 'token', secrets: [TOKEN], topic: 'chat', data } }),
    });
    readSources(env);
    expect(() => env.finish()).toThrow('an invalid data: it must be true for the whole event, or the name of a member');
  });
});

describe('a CloudEvent of a source', () => {
  const event = { specversion: '1.0', id: 'e-1', source: '/orders', type: 'order.paid', data: { order: 7 } };
  const source = { verify: 'token', secrets: [TOKEN], topic: 'orders/{type}/{data.order}' };
  const binary = {
    ...JSON_TYPE,
    'ce-specversion': '1.0',
    'ce-id': 'e-1',
    'ce-source': '/orders',
    'ce-type': 'order%2Epaid',
  };

  it.each<[string, Record<string, string>, unknown, string[]]>([
    ['structured', { 'content-type': 'application/cloudevents+json' }, event, ['orders/order.paid/7']],
    ['binary', binary, event.data, ['orders/order.paid/7']],
    [
      'batched',
      { 'content-type': 'application/cloudevents-batch+json' },
      [event, { ...event, id: 'e-2', data: { order: 8 } }],
      ['orders/order.paid/7', 'orders/order.paid/8'],
    ],
  ])(
    'in %s mode names the topic by its attributes and data, and is published once',
    async (_, headers, body, topics) => {
      const webhook = await start({ sender: source });
      const delivery = { path: `sender/${TOKEN}`, body: JSON.stringify(body), headers };
      for (let i = 0; i < 2; i += 1) expect((await webhook.deliver(delivery)).status).toBe(200);
      expect(webhook.topics()).toEqual(topics);
    },
  );
});

describe("Debezium Server's HTTP sink", () => {
  const change = (table: string, id: number) => ({
    before: null,
    after: { id },
    source: { connector: 'postgresql', db: 'shop', schema: 'public', table },
    op: 'c',
  });
  /** Headers as it sends them with `authentication.type=standard-webhooks`. */
  function signed(body: string): Delivery {
    return { body, headers: { ...signedHeaders(body), 'X-DEBEZIUM-ID': 'eyJpZCI6N30=' } };
  }

  it('publishes a batch as the topics of its tables or rows', async () => {
    const source = { verify: 'standard', secrets: [WEBHOOK_SECRET], topic: 'table/{source.table}/{after.id}' };
    const webhook = await start({ sender: source });
    const batch = [change('orders', 1), change('items', 1), change('orders', 1), change('orders', 2)];
    expect((await webhook.deliver(signed(JSON.stringify(batch)))).status).toBe(200);
    expect(webhook.topics()).toEqual(['table/orders/1', 'table/items/1', 'table/orders/2']);
  });

  it('publishes up to 1,000 topics with a batch', async () => {
    const source = { verify: 'standard', secrets: [WEBHOOK_SECRET], topic: 'order/{after.id}' };
    const webhook = await start({ sender: source });
    const batch = (rows: number) =>
      signed(JSON.stringify(Array.from({ length: rows }, (_, id) => change('orders', id))));
    expect((await webhook.deliver(batch(1000))).status).toBe(200);
    expect(webhook.topics()).toHaveLength(1000);
    await expectProblem(await webhook.deliver(batch(1001)), 400, 'too_many_topics');
  });

  it('publishes a batch as one topic at /webhook/<topic>', async () => {
    const broker = new RecordingBroker();
    const secrets = [parseSigningSecret(WEBHOOK_SECRET)] as SigningCredential[];
    const webhook = await startWebhook({ broker, config: { secrets } });
    onTestFinished(() => webhook.stop());
    const { body, headers } = signed(JSON.stringify([change('orders', 1), change('orders', 2)]));
    const response = await fetch(`${webhook.url}/webhook/orders`, { method: 'POST', headers, body });
    expect([response.status, broker.published.length]).toEqual([200, 1]);
  });
});

describe('the token in a path', () => {
  it('is in no log line, no trace, no metric and no response, whether it is right or wrong', async () => {
    const stats = 'the-token-of-statistics';
    await using webhook = await startService('standalone', {
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      WEBHOOK_SOURCES: sourcesFile({ sender: { verify: 'token', secrets: [TOKEN], topic: 'chat' } }),
      LOG_LEVEL: 'trace',
      STATS_TOKEN: stats,
      STATS_SAMPLE_RATE: '1',
    });
    const { webhook: port = 0 } = webhook.ports;
    const paths = [
      `/hooks/sender/${TOKEN}`,
      `/hooks/sender/${TOKEN}x`,
      `/hooks/other/${TOKEN}`,
      `/HOOKS/sender/${TOKEN}`,
    ];
    const statuses: number[] = [];
    const seen: string[] = [];
    for (const path of [...paths, `http://localhost:${port}/hooks/sender/${TOKEN}`]) {
      const received = await sendRaw(
        port,
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      statuses.push(Number(received.split(' ')[1]));
      seen.push(received);
    }
    expect(statuses).toEqual([200, 401, 404, 404, 200]);
    const admin = `http://127.0.0.1:${webhook.adminPort}`;
    const authorization = `Bearer ${stats}`;
    const page = await eventually(async () => {
      const text = await (await fetch(`${admin}/stats`, { headers: { authorization } })).text();
      expect(text).toContain('/hooks/:name');
      return text;
    });
    const { traces } = JSON.parse(page) as { traces: { id: string }[] };
    for (const { id } of traces) {
      seen.push(await (await fetch(`${admin}/stats/traces/${id}`, { headers: { authorization } })).text());
    }
    seen.push(page, await (await fetch(`${admin}/metrics`)).text(), webhook.log());
    expect(seen.join('')).not.toContain(TOKEN);
  });
});

it('the sources of the page are accepted', async () => {
  const sources = JSON.parse(readmeExample('json', '"verify": "github"'));
  const webhook = await start(sources);
  const [name = ''] = Object.keys(sources);
  const body = '{"repository":{"full_name":"octo-org/octo-repo"}}';
  const headers = { ...JSON_TYPE, 'X-Hub-Signature-256': await sign(sources[name].secrets[0], body) };
  expect((await webhook.deliver({ path: name, body, headers })).status).toBe(200);
  expect(webhook.topics()).toEqual(['repo/octo-org/octo-repo']);
});
