import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { parseTopic } from '../../services/shared/update/topic.ts';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { signedHeaders } from '../support/signed-headers.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const CHAT_SECRET = 'whsec_plJ3nmyCDGBKInavdOK15jslqM4zYbT2';
const SECRETS = [parseSigningSecret(`${CHAT_SECRET}@chat/*`)] as SigningCredential[];
const AUTHORIZED = { authorization: `Bearer ${WEBHOOK_TOKEN}` };

let webhook: RunningWebhook;

function post(query: string, body: unknown = { topic: 'chat/1' }, init: RequestInit = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...AUTHORIZED };
  return fetch(`${webhook.url}/webhook${query}`, { method: 'POST', headers, body: JSON.stringify(body), ...init });
}

const get = (path: string, headers: Record<string, string> = AUTHORIZED) => fetch(`${webhook.url}${path}`, { headers });

describe('a webhook and a relay in one process', () => {
  let broker: MemoryBroker;
  let relay: RelayFixture;

  beforeEach(async () => {
    broker = new MemoryBroker();
    relay = await startRelay({ ownBroker: broker });
    webhook = await startWebhook({ broker, config: { secrets: SECRETS } });
  });
  afterEach(async () => {
    await webhook.stop();
    await relay.stop();
  });

  it('return delivery receipts, like those on one Redis', async () => {
    const client = await relay.connect('/ws?topic=chat/1');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const response = await post('?wait=delivered&timeout=5s', { topics: ['chat/1', 'news'], data: 1 });
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { updates, delivered, receipts } = await response.json();
    const [{ version }] = updates;
    const name = expect.stringMatching(/^.+\/\d+\/[0-9a-f]{8}$/);
    const told = { topic: 'chat/1', version, delivered: true };
    const relays = [{ relay: name, state: 'delivered', version, told: 1, listening: 1, behind: 0 }];
    expect(delivered).toBe(true);
    expect(receipts).toEqual([
      { ...told, relays },
      { topic: 'news', version: updates[1].version, delivered: true, relays: [{ relay: name, state: 'idle' }] },
    ]);
    expect(await (await get(`/updates/${version}?topic=chat/1`)).json()).toEqual({ ...told, relays });
    await eventually(() => expect(client.ofType('update')).toMatchObject([{ version, data: 1 }]));
    expect(await webhook.registry.metrics()).toContain('webhook_receipts_asked_total 3');
  });

  it('count a newer version, after the floor that the relay names was compared with that of the broker', async () => {
    const client = await relay.connect('/ws?topic=chat/1');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const floor = async () => (await broker.digest(0, { epoch: '', version: 0 }, Number.MAX_SAFE_INTEGER)).floor;
    const before = await floor();
    const { updates } = await (await post('')).json();
    const [{ version }] = updates;
    const newer = await relay.publish('chat/1');
    const relays = () => [{ state: 'delivered', version: newer, listening: 1 }];
    expect(await (await get(`/updates/${version}?topic=chat/1`)).json()).toMatchObject({ relays: relays() });

    const query = { id: 'query', topics: [parseTopic('chat/1')] };
    await broker.receipts.sendQuery(query);
    await eventually(async () => {
      const [reply] = (await broker.receipts.readReplies(query)).values();
      expect(reply).toMatchObject([{ version: newer, floor: before }]);
    });
  });

  it('count slow connections and legacy clients within a spread as behind', async () => {
    const [slow, quick] = [await relay.connect('/ws?topic=chat/1'), await relay.connect('/ws?topic=chat/1')];
    await relay.connect('/ws?topic=chat/1');
    await relay.connect('/update_check?topic=chat/1');
    await eventually(() => expect(quick.ofType('subscribed')).toHaveLength(1));
    slow.pause();
    const data = 'x'.repeat(60_000);
    for (let behind = 0; behind === 0; ) {
      const delivery = await (await post('?wait=delivered', { topic: 'chat/1', data })).json();
      behind = await relay.metric('relay_sessions_behind');
      expect(delivery).toMatchObject({ delivered: true, receipts: [{ relays: [{ told: 4, listening: 4, behind }] }] });
    }
    const paced = await (await post('?wait=delivered', { topic: 'chat/1', spread: 60_000 })).json();
    expect(paced).toMatchObject({ delivered: true, receipts: [{ relays: [{ told: 3, listening: 4, behind: 2 }] }] });
    expect(await (await post('?wait=delivered', { topic: 'chat/2' })).json()).toMatchObject({
      receipts: [{ relays: [{ state: 'idle' }] }],
    });
    slow.resume();
    await eventually(async () => expect(await relay.metric('relay_sessions_behind')).toBe(0));
    expect(await (await post('?wait=delivered')).json()).toMatchObject({ receipts: [{ relays: [{ behind: 1 }] }] });
  });

  it('count clients that have disconnected since the delivery, as long-polls do', async () => {
    const { version: number } = await (await fetch(`${relay.http}/topics/chat/1`)).json();
    const answer = fetch(`${relay.http}/topics/chat/1`, {
      headers: { 'if-none-match': `"${number}"`, prefer: 'wait=25' },
    });
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(1));
    const { receipts } = await (await post('?wait=delivered')).json();
    expect(receipts[0].relays).toMatchObject([{ state: 'delivered', told: 1, listening: 0, behind: 0 }]);
    expect((await answer).status).toBe(200);
  });

  it('wait for the updates of the first call if it is repeated', async () => {
    const body = '{"topic":"chat/1"}';
    const id = 'msg_twice';
    const call = (query: string) =>
      post(query, undefined, { body, headers: signedHeaders(body, { id, secret: CHAT_SECRET }) });
    const { updates } = await (await call('')).json();
    const again = await call('?wait=delivered');
    expect(again.status).toBe(200);
    const [{ version }] = updates;
    expect(await again.json()).toMatchObject({ updates, delivered: true, receipts: [{ topic: 'chat/1', version }] });
    expect(await webhook.registry.metrics()).toContain('webhook_updates_total 1');
  });

  it('require credentials that permit publishing the topic', async () => {
    const version = await relay.publish('chat/1');
    await relay.publish('news');
    const path = `/updates/${version}?topic=chat/1`;
    expect((await get(path, signedHeaders('', { secret: CHAT_SECRET }))).status).toBe(200);
    await expectProblem(
      await get(`/updates/1?topic=news`, signedHeaders('', { secret: CHAT_SECRET })),
      403,
      'topic_forbidden',
    );
    await expectProblem(await get(path, {}), 401, 'unauthorized');
    await expectProblem(await get(path, { authorization: 'Bearer no' }), 401, 'unauthorized');
    await expectProblem(await get(path, signedHeaders('{}', { secret: CHAT_SECRET })), 401, 'invalid_signature');
  });

  it('reject invalid requests for receipts', async () => {
    const version = await relay.publish('chat/1');
    await expectProblem(await get(`/updates/${version + 1}?topic=chat/1`), 404, 'unknown_update');
    await expectProblem(await get(`/updates/${version}?topic=chat/2`), 404, 'unknown_update');
    await expectProblem(await get('/updates/0?topic=chat/1'), 404, 'unknown_update');
    for (const bad of ['abc', '1.5', '-1', '01', '99999999999999999', '%20']) {
      await expectProblem(await get(`/updates/${bad}?topic=chat/1`), 400, 'invalid_request');
    }
    for (const query of ['', '?topic=', '?topic=a%20b', '?topic=chat/1&topic=chat/2', `?topic=${'x'.repeat(129)}`]) {
      await expectProblem(await get(`/updates/${version}${query}`), 400, 'invalid_topic');
    }
    await expectProblem(await get('/updates/'), 404, 'not_found');
    const put = await fetch(`${webhook.url}/updates/${version}?topic=chat/1`, { method: 'POST', headers: AUTHORIZED });
    expect(put.headers.get('allow')).toBe('GET, HEAD');
    await expectProblem(put, 405, 'method_not_allowed');
  });
});

describe('a webhook whose relays do not reply', () => {
  let broker: RecordingBroker;

  beforeEach(async () => {
    broker = new RecordingBroker();
    broker.relays = ['deaf'];
    webhook = await startWebhook({ broker });
  });
  afterEach(() => webhook.stop());

  it('publishes first, and reports at the timeout which relays have not delivered', async () => {
    const response = await post('?wait=delivered&timeout=200ms', { topic: 'chat' });
    expect(response.status).toBe(202);
    const update = { topic: 'chat', version: 1 };
    expect(await response.json()).toEqual({
      updates: [{ ...update, previous: 0 }],
      delivered: false,
      receipts: [{ ...update, delivered: false, relays: [{ relay: 'deaf', state: 'silent' }] }],
    });
  });

  it('rejects invalid wait parameters, and publishes nothing', async () => {
    for (const query of ['?wait=told', '?timeout=5s', '?wait=delivered&timeout=1m', '?wait=delivered&timeout=x']) {
      await expectProblem(await post(query), 400, 'invalid_request');
    }
    expect(broker.published).toEqual([]);
  });

  it('limits the calls that wait, and publishes nothing for one more', async () => {
    const calls = [1, 2].map(() => post('?wait=delivered&timeout=1s'));
    await eventually(() => expect(broker.published).toHaveLength(2));
    const refused = await post('?wait=delivered&timeout=1s');
    expect(refused.headers.get('retry-after')).toBe('1');
    await expectProblem(refused, 503, 'too_many_waiting');
    await expectProblem(await get('/updates/1?topic=chat/1'), 503, 'too_many_waiting');
    expect(broker.published).toHaveLength(2);
    expect((await post('')).status).toBe(200);
    for (const call of calls) expect((await call).status).toBe(202);
    expect((await post('?wait=delivered&timeout=100ms')).status).toBe(202);
  });

  it('ends the wait of a caller that disconnects', async () => {
    const headers = { 'content-type': 'application/json', ...AUTHORIZED };
    const options = { method: 'POST', port: webhook.port, path: '/webhook?wait=delivered&timeout=30s', headers };
    const calls = [1, 2].map(() =>
      request(options)
        .on('error', () => {})
        .end('{"topic":"chat"}'),
    );
    await eventually(() => expect(broker.published).toHaveLength(2));
    for (const call of calls) call.destroy();
    await eventually(async () => expect((await post('?wait=delivered&timeout=100ms')).status).toBe(202));
    expect(await webhook.registry.metrics()).toContain('webhook_waits_total{outcome="aborted"} 2');
  });

  it('responds to waiting calls at once when it stops', async () => {
    const call = post('?wait=delivered&timeout=30s');
    await eventually(() => expect(broker.published).toHaveLength(1));
    const stopwatch = startStopwatch();
    await webhook.stop();
    expect((await call).status).toBe(202);
    expectInTime(stopwatch.stop(), 15_000); // half of its timeout
  });

  it('applies the rate limit to requests for receipts', async () => {
    const limited = await startWebhook({ broker, config: { pointsPerSecond: 1 } });
    const ask = () => fetch(`${limited.url}/updates/1?topic=chat`, { headers: AUTHORIZED });
    const answers = await Promise.all([ask(), ask()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([404, 429]);
    await limited.stop();
  });

  it('reports a missing relay if there is none at all', async () => {
    broker.relays = [];
    const response = await post('?wait=delivered&timeout=100ms', { topic: parseTopic('chat') });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ delivered: false, missing: 1, receipts: [{ relays: [] }] });
  });
});
