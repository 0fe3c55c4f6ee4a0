import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { JWT_SECRET, signToken } from '../support/tokens.ts';

let relay: RelayFixture;
afterEach(() => relay.stop());

/** The outcome of a WebSocket: the refusal of its upgrade, or `in`. */
async function knock(path: string, headers: Record<string, string> = {}): Promise<string> {
  const socket = new WebSocket(relay.url + path, { headers });
  socket.on('error', () => {});
  const outcome = await Promise.race([
    once(socket, 'open').then(() => 'in'),
    once(socket, 'unexpected-response').then(async ([, response]) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      return `${response.statusCode} ${JSON.parse(body).code} ${response.headers['retry-after'] ?? ''}`.trim();
    }),
  ]);
  if (outcome === 'in') held.push(socket);
  return outcome;
}
const held: WebSocket[] = [];
afterEach(() => {
  for (const socket of held.splice(0)) socket.terminate();
});

/** The response to a client's messages: the code of an error or close, or `pong` if all were accepted. */
async function say(...messages: readonly string[]): Promise<string> {
  const client = await relay.connect('/ws');
  for (const message of [...messages, '{"type":"ping"}']) client.send(message);
  return eventually(() => {
    const [error] = client.ofType('error');
    if (client.closed) return `${client.closed.code} ${error?.code ?? ''}`.trim();
    if (error && !/too_fast|relay_full/.test(error.code)) return error.code; // a close follows these
    expect(client.ofType('pong')).toHaveLength(1);
    return 'pong';
  });
}

const topics = (count: number) =>
  JSON.stringify({
    type: 'subscribe',
    topics: Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, null])),
  });
const poll = () =>
  fetch(`${relay.http}/topics/chat`, { headers: { prefer: 'wait=1' } }).then(async (response) =>
    response.status === 200 ? 'in' : `${response.status} ${(await response.json()).code}`,
  );

/** Each limit: an action done twice too often, its outcome, and the metric that counts it. */
const LIMITS: [variable: string, low: string, attempt: () => Promise<string[]>, refusal: string, counted: string][] = [
  [
    'MAX_CONNECTIONS',
    '1',
    async () => [await knock('/ws'), await knock('/ws'), await knock('/update_check')],
    '503 relay_full 2',
    'relay_refusals_total{code="relay_full"} 2',
  ],
  [
    'MAX_CONNECTIONS_PER_ADDRESS',
    '1',
    async () => [await knock('/ws'), await knock('/ws'), await knock('/ws')],
    '429 too_many_connections 2',
    'relay_refusals_total{code="too_many_connections"} 2',
  ],
  [
    'CONNECTION_RATE',
    '1',
    async () => {
      const outcomes = await Promise.all([knock('/ws'), knock('/ws'), knock('/ws')]);
      return outcomes.sort((a, b) => Number(b === 'in') - Number(a === 'in'));
    },
    '503 connecting_too_fast 2',
    'relay_refusals_total{code="connecting_too_fast"} 2',
  ],
  [
    'MAX_LONG_POLLS',
    '1',
    async () => {
      const version = await relay.publish('chat');
      const wait = { headers: { 'if-none-match': `"${version}"`, prefer: 'wait=20' } };
      const waiting = fetch(`${relay.http}/topics/chat`, wait);
      await eventually(async () => expect(await relay.metric('relay_connections')).toBe(1));
      const others = [await poll(), await poll()];
      await relay.publish('chat');
      return [(await waiting).status === 200 ? 'in' : '', ...others];
    },
    '503 relay_full',
    'relay_refusals_total{code="relay_full"} 2',
  ],
  [
    'MAX_TOPICS',
    '1',
    async () => [await say(topics(1)), await say(topics(2)), await say(topics(129))],
    'too_many_topics',
    'relay_refusals_total{code="too_many_topics"} 2',
  ],
  [
    'MAX_RELAY_TOPICS',
    '1',
    async () => {
      const subscribe = (...names: string[]) =>
        JSON.stringify({ type: 'subscribe', topics: Object.fromEntries(names.map((name) => [name, null])) });
      // A topic that another client has costs nothing more.
      return [await say(subscribe('a')), await say(subscribe('b')), await say(subscribe('a', 'c'))];
    },
    '1013 relay_full',
    'relay_refusals_total{code="relay_full"} 2',
  ],
  [
    'FRAME_RATE',
    '1',
    async () => {
      const many = Array(400).fill('{"type":"unsubscribe","topics":["x"]}');
      // A subscription costs as much as its number of topics, so the same number of messages costs less or more.
      return [await say(topics(100)), await say(topics(128), topics(127), topics(2)), await say(...many)];
    },
    '4429 too_fast',
    'relay_connections_closed_total{transport="websocket",code="4429"} 2',
  ],
  [
    'MAX_MESSAGE_SIZE',
    '1KiB',
    async () => {
      const padded = (size: number) => '{"type":"unsubscribe","topics":["x"]}'.padEnd(size);
      return [await say(padded(1024)), await say(padded(1025)), await say(padded(200 * 1024))];
    },
    '1009',
    'relay_connections_closed_total{transport="websocket",code="1009"}',
  ],
];

describe('the limit', () => {
  it.each(LIMITS)('%s refuses and counts what exceeds it', async (name, low, attempt, refusal, counted) => {
    relay = await startRelay({ env: { [name]: low } });
    const [first, ...others] = await attempt();
    expect(['in', 'pong']).toContain(first);
    expect(others[0]).toBe(refusal);
    // uWebSockets.js closes far larger messages without a code.
    for (const outcome of others)
      expect([refusal, ...(name === 'MAX_MESSAGE_SIZE' ? ['1006'] : [])]).toContain(outcome);
    await eventually(async () => expect(await relay.metrics()).toContain(counted));
  });

  it.each(LIMITS)('%s is off at 0', async (name, _, attempt) => {
    relay = await startRelay({ env: { [name]: '0' } });
    for (const outcome of await attempt()) expect(['in', 'pong']).toContain(outcome);
  });
});

describe('a relay at its limit of topics', () => {
  it('refuses new topics over plain HTTP too, and serves its own', async () => {
    relay = await startRelay({ env: { MAX_RELAY_TOPICS: '1' } });
    const client = await relay.connect('/ws?topic=chat');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const refused = await fetch(`${relay.http}/topics/other`);
    expect([refused.status, (await refused.json()).code]).toEqual([503, 'relay_full']);
    const stream = await fetch(`${relay.http}/events?topic=other`);
    expect(await stream.text()).toMatch(/^retry: \d+\n\n$/); // retry later
    expect(await poll()).toBe('in');
    await relay.publish('chat');
    await eventually(() => expect(client.ofType('update')).toHaveLength(1));
  });
});

describe('a full relay that requires tokens', () => {
  const token = () => signToken({ topics: ['chat'] });
  it('closes clients without a token with 1013, oldest first, to admit clients with one', async () => {
    relay = await startRelay({ env: { SUBSCRIBE_AUTH: 'required', JWT_SECRET, MAX_CONNECTIONS: '3' } });
    const [oldest, shows, younger] = [
      await relay.connect('/ws?topic=chat'),
      await relay.connect('/ws?topic=chat'),
      await relay.connect('/ws?topic=chat'),
    ];
    shows.send({ type: 'auth', token: await token() });
    await eventually(() => expect(shows.ofType('subscribed')).toHaveLength(1));
    const good = await relay.connect(`/ws?topic=chat&token=${await token()}`);
    await eventually(() => expect(good.ofType('subscribed')).toHaveLength(1));
    await eventually(() => expect(oldest.closed).toEqual({ code: 1013, reason: 'relay_full' }));
    expect(oldest.ofType('error')).toEqual([{ type: 'error', code: 'relay_full' }]);
    expect([shows.closed, younger.closed]).toEqual([undefined, undefined]);
    const another = await relay.connect(`/ws?topic=chat&token=${await token()}`);
    await eventually(() => expect(younger.closed?.code).toBe(1013));
    expect(await knock(`/ws?topic=chat&token=${await token()}`)).toBe('503 relay_full 2');
    expect([shows.closed, good.closed, another.closed]).toEqual([undefined, undefined, undefined]);
    expect(await relay.metric('relay_connections')).toBe(3);
    await relay.publish('chat');
    await eventually(() => expect(another.ofType('update')).toHaveLength(1));
  });
});
