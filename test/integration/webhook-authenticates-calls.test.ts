import { createHmac } from 'node:crypto';
import { BlockList } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { sendRaw } from '../support/raw-http.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { signedHeaders, WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const NEW_SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const CHAT_SECRET = 'whsec_plJ3nmyCDGBKInavdOK15jslqM4zYbT2';
const UNKNOWN_SECRET = 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const BODY = '{"topic":"chat/1","data":"\u00e4\u{1F44B}"}';

const broker = new RecordingBroker();
let webhook: RunningWebhook;

beforeAll(async () => {
  const secrets = [WEBHOOK_SECRET, NEW_SECRET, `${CHAT_SECRET}@chat/*|news`].map(parseSigningSecret);
  webhook = await startWebhook({ broker, config: { secrets: secrets as SigningCredential[] } });
});
afterAll(() => webhook.stop());
beforeEach(() => void broker.published.splice(0));

async function post(headers: Record<string, string | undefined>, body: string | Buffer = BODY) {
  const response = await fetch(`${webhook.url}/webhook`, {
    method: 'POST',
    headers: Object.entries({ 'content-type': 'application/json', ...headers }).filter(
      (header): header is [string, string] => header[1] !== undefined,
    ),
    body: new Uint8Array(Buffer.from(body)),
  });
  const text = await response.text();
  expect(text).not.toMatch(/\.ts:|node_modules|at .*\(/);
  return { status: response.status, answer: JSON.parse(text) };
}

describe('a webhook accepts', () => {
  it.each([
    ['the first secret', WEBHOOK_SECRET],
    ['a newer secret during a rotation', NEW_SECRET],
    ['a secret that permits only some topics, for one of them', CHAT_SECRET],
  ])('%s', async (_, secret) => {
    expect(await post(signedHeaders(BODY, { secret }))).toMatchObject({ status: 200 });
    expect(broker.published).toMatchObject([{ topic: 'chat/1', body: { data: '"\u00e4\u{1F44B}"' } }]);
  });

  it.each([
    ['a timestamp of almost five minutes ago', 295],
    ['a timestamp almost a minute ahead', -55],
  ])('%s', async (_, ageS) => {
    expect((await post(signedHeaders(BODY, { ageS }))).status).toBe(200);
  });

  it('a valid signature among others, as sent during a rotation', async () => {
    const [id, mine] = ['msg_1', signedHeaders(BODY, { id: 'msg_1' })];
    const other = signedHeaders(BODY, { id, secret: UNKNOWN_SECRET })['webhook-signature'];
    const signature = `v1a,abc ${other} ${mine['webhook-signature']}`;
    expect((await post({ ...mine, 'webhook-signature': signature })).status).toBe(200);
  });

  it.each(['Bearer the-token-of-a-gateway', 'Basic eDp5', 'AWS4-HMAC-SHA256 Credential=x'])(
    'a valid signature beside a header of a gateway: Authorization: %s',
    async (authorization) => {
      expect((await post({ ...signedHeaders(BODY), authorization })).status).toBe(200);
    },
  );

  it('a bearer token', async () => {
    expect((await post({ authorization: `Bearer ${WEBHOOK_TOKEN}` })).status).toBe(200);
  });
});

describe('a webhook rejects', () => {
  const good = () => signedHeaders(BODY);
  /** Headers with a signature over exactly this timestamp. */
  function resigned({ timestamp }: { timestamp: string }): Record<string, string> {
    const key = Buffer.from(WEBHOOK_SECRET.slice('whsec_'.length), 'base64');
    const signature = createHmac('sha256', key).update(`msg_1.${timestamp}.${BODY}`).digest('base64');
    return { 'webhook-id': 'msg_1', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
  }
  const seconds = (offset: number) => String(Math.floor(Date.now() / 1000) + offset);

  it.each<[string, () => Record<string, string | undefined>, number, string]>([
    ['no credentials', () => ({}), 401, 'unauthorized'],
    ['an empty bearer token', () => ({ authorization: 'Bearer ' }), 401, 'unauthorized'],
    ['a wrong bearer token', () => ({ authorization: 'Bearer wrong' }), 401, 'unauthorized'],
    ['half of a token', () => ({ authorization: `Bearer ${WEBHOOK_TOKEN.slice(0, 8)}` }), 401, 'unauthorized'],
    ['a token and more', () => ({ authorization: `Bearer ${WEBHOOK_TOKEN} x` }), 401, 'unauthorized'],
    ['a token as Basic', () => ({ authorization: `Basic ${btoa(`x:${WEBHOOK_TOKEN}`)}` }), 401, 'unauthorized'],
    ['a secret as a token', () => ({ authorization: `Bearer ${WEBHOOK_SECRET}` }), 401, 'unauthorized'],
    [
      'a bad signature with a good token',
      () => ({ ...signedHeaders(BODY, { secret: UNKNOWN_SECRET }), authorization: `Bearer ${WEBHOOK_TOKEN}` }),
      401,
      'invalid_signature',
    ],
    ['no webhook-id', () => ({ ...good(), 'webhook-id': undefined }), 401, 'unauthorized'],
    ['no webhook-timestamp', () => ({ ...good(), 'webhook-timestamp': undefined }), 401, 'unauthorized'],
    ['no webhook-signature', () => ({ ...good(), 'webhook-signature': undefined }), 401, 'unauthorized'],
    ['an empty webhook-id', () => ({ ...good(), 'webhook-id': '' }), 400, 'invalid_webhook_id'],
    ['a webhook-id with spaces', () => ({ ...good(), 'webhook-id': 'a b' }), 400, 'invalid_webhook_id'],
    ['a webhook-id in Unicode', () => ({ ...good(), 'webhook-id': 'caf\u00e9' }), 400, 'invalid_webhook_id'],
    ['a webhook-id that is too long', () => ({ ...good(), 'webhook-id': 'x'.repeat(257) }), 400, 'invalid_webhook_id'],
    ['a timestamp that is too old', () => signedHeaders(BODY, { ageS: 305 }), 401, 'invalid_timestamp'],
    ['a timestamp too far ahead', () => signedHeaders(BODY, { ageS: -65 }), 401, 'invalid_timestamp'],
    ['a timestamp that is not a number', () => ({ ...good(), 'webhook-timestamp': 'now' }), 401, 'invalid_timestamp'],
    [
      'a timestamp in milliseconds',
      () => ({ ...good(), 'webhook-timestamp': String(Date.now()) }),
      401,
      'invalid_timestamp',
    ],
    [
      'a timestamp with a fraction',
      () => ({ ...good(), 'webhook-timestamp': `${seconds(0)}.5` }),
      401,
      'invalid_timestamp',
    ],
    ['a negative timestamp', () => ({ ...good(), 'webhook-timestamp': '-1' }), 401, 'invalid_timestamp'],
    ['a timestamp with leading zeros', () => resigned({ timestamp: `00${seconds(0)}` }), 401, 'invalid_timestamp'],
    [
      'a signature and a third field',
      () => ({ ...good(), 'webhook-signature': `${good()['webhook-signature']},x` }),
      401,
      'invalid_signature',
    ],
    [
      'a signature in URL-safe base64',
      () => ({ ...good(), 'webhook-signature': `v1,${'-'.repeat(43)}=` }),
      401,
      'invalid_signature',
    ],
    ['an infinite timestamp', () => ({ ...good(), 'webhook-timestamp': 'Infinity' }), 401, 'invalid_timestamp'],
    [
      'a timestamp other than the signed one',
      () => ({ ...good(), 'webhook-timestamp': seconds(-10) }),
      401,
      'invalid_signature',
    ],
    ['an id other than the signed one', () => ({ ...good(), 'webhook-id': 'msg_other' }), 401, 'invalid_signature'],
    ['an unknown secret', () => signedHeaders(BODY, { secret: UNKNOWN_SECRET }), 401, 'invalid_signature'],
    ['the signature of another body', () => signedHeaders('{"topic":"chat/2"}'), 401, 'invalid_signature'],
    ['an empty signature', () => ({ ...good(), 'webhook-signature': '' }), 401, 'invalid_signature'],
    ['a signature without its value', () => ({ ...good(), 'webhook-signature': 'v1,' }), 401, 'invalid_signature'],
    ['a version without a signature', () => ({ ...good(), 'webhook-signature': 'v1' }), 401, 'invalid_signature'],
    [
      'a truncated signature',
      () => ({ ...good(), 'webhook-signature': good()['webhook-signature']?.slice(0, -4) }),
      401,
      'invalid_signature',
    ],
    [
      'a signature of an unknown version',
      () => ({ ...good(), 'webhook-signature': good()['webhook-signature']?.replace('v1,', 'v2,') }),
      401,
      'invalid_signature',
    ],
    [
      'a list of signatures that is too long',
      () => ({ ...good(), 'webhook-signature': 'v1,AAAA '.repeat(300) }),
      401,
      'invalid_signature',
    ],
  ])('%s', async (_, headers, status, code) => {
    expect(await post(headers())).toMatchObject({ status, answer: { code } });
    expect(broker.published).toEqual([]);
  });

  it.each([
    ['for a topic that it does not permit', '{"topic":"other"}'],
    ['for a topic that only has the same beginning', '{"topic":"newspaper"}'],
    ['for one such topic among others', '{"topics":["chat/1","other"]}'],
  ])('a limited secret %s, and publishes nothing', async (_, body) => {
    expect(await post(signedHeaders(body, { secret: CHAT_SECRET }), body)).toMatchObject({
      status: 403,
      answer: { code: 'topic_forbidden' },
    });
    expect(broker.published).toEqual([]);
  });

  it('a body with one changed byte', async () => {
    const body = Buffer.from(BODY);
    const headers = signedHeaders(BODY);
    for (let i = 0; i < body.length; i += 7) {
      const changed = Buffer.from(body);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(await post(headers, changed)).toMatchObject({ status: 401, answer: { code: 'invalid_signature' } });
    }
    expect(broker.published).toEqual([]);
  });

  it('a signature of an invalid format before its body arrives', async () => {
    const head = (signature: string) =>
      [
        'POST /webhook HTTP/1.1',
        'host: x',
        'content-type: application/json',
        'content-length: 60000',
        ...Object.entries({ ...good(), 'webhook-signature': signature }).map(([name, value]) => `${name}: ${value}`),
        '\r\n',
      ].join('\r\n');
    expect(await sendRaw(webhook.port, head('v1,AAAA'))).toMatch(/^HTTP\/1.1 401 /);
  });

  it('signed calls of an address with too many wrong signatures, before their bodies arrive', async () => {
    const secrets = [parseSigningSecret(WEBHOOK_SECRET) as SigningCredential];
    const trustedProxies = new BlockList();
    trustedProxies.addAddress('127.0.0.1');
    const limited = await startWebhook({ config: { secrets, trustedProxies } });
    const call = (client: string, headers: Record<string, string>) =>
      fetch(`${limited.url}/webhook`, {
        method: 'POST',
        headers: { ...headers, 'x-forwarded-for': client },
        body: BODY,
      });
    const forged = () => signedHeaders(BODY, { secret: UNKNOWN_SECRET });
    const codes: number[] = [];
    while (codes.length < 200 && codes.at(-1) !== 429) codes.push((await call('192.0.2.1', forged())).status);
    expect(codes.slice(0, -1)).toEqual(Array(codes.length - 1).fill(401));
    expect(codes.length).toBeGreaterThan(60);
    const refused = await call('192.0.2.1', signedHeaders(BODY));
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: 'rate_limited' }]);
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect((await call('192.0.2.2', signedHeaders(BODY))).status).toBe(200);
    const token = { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' };
    expect((await call('192.0.2.1', token)).status).toBe(200);
    expect(await limited.registry.metrics()).toContain('webhook_calls_limited_total{limit="signatures"} 2');
    await limited.stop();
  });

  it('repeated headers, and headers of a megabyte', async () => {
    const lines = Object.entries(signedHeaders(BODY)).map(([name, value]) => `${name}: ${value}`);
    const call = (extra: string) =>
      [
        'POST /webhook HTTP/1.1',
        'host: x',
        'connection: close',
        `content-length: ${Buffer.byteLength(BODY)}`,
        ...lines,
        extra,
        '',
        BODY,
      ].join('\r\n');
    const refused = async (extra: string, status: number, code: string) => {
      const answer = await sendRaw(webhook.port, call(extra));
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ status, code });
      expect(answer).not.toMatch(/\.(ts|js):\d/);
    };
    await refused('webhook-id: second', 400, 'invalid_webhook_id');
    await refused('webhook-timestamp: 1', 401, 'invalid_timestamp');
    await refused('webhook-signature: v1,AAAA', 401, 'invalid_signature');
    await refused(`webhook-signature: ${'A'.repeat(1024 * 1024)}`, 431, 'headers_too_large');
    await refused('x-nul: a\u0000b', 400, 'invalid_request');
    await refused('webhook-id: a\u0000b', 400, 'invalid_request');
    expect(broker.published).toEqual([]);
    expect(await webhook.registry.metrics()).toContain('webhook_requests_total{code="431"} 1');
  });

  it('all of these without logging secrets', async () => {
    await post({ authorization: 'Bearer hunter2' });
    await post(signedHeaders(BODY, { secret: UNKNOWN_SECRET }));
    for (const secret of ['hunter2', WEBHOOK_TOKEN, WEBHOOK_SECRET, WEBHOOK_SECRET.slice(6), UNKNOWN_SECRET.slice(6)]) {
      expect(webhook.log.join('')).not.toContain(secret);
      expect(await webhook.registry.metrics()).not.toContain(secret);
    }
  });
});
