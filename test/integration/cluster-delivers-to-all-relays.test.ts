import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const RELAYS = 3;
const CLIENTS = 300;

/** One webhook and three relays, each a process, connected only by Redis. */
describe('a webhook and three relays on one Redis', () => {
  let webhook: ServiceProcess;
  let relays: ServiceProcess[];
  const clients: WsClient[] = [];

  beforeAll(async () => {
    const env = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      DEFAULT_TOPIC: 'chat',
      DRAIN_WINDOW: '200ms',
      // On a busy machine one relay may briefly hold more than the others, and these clients do not reconnect.
      REBALANCE: '0',
    };
    [webhook, ...relays] = await Promise.all([
      startService('webhook', env),
      ...Array.from({ length: RELAYS }, () => startService('relay', env)),
    ]);
  });
  afterAll(async () => {
    for (const client of clients) client.terminate();
    await Promise.all([webhook, ...relays].map((service) => service?.stop('SIGKILL')));
  });

  async function publish(body: unknown): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${webhook.port}/webhook`, {
      method: 'POST',
      headers: { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    expect(response.status).toBe(200);
    const { updates } = (await response.json()) as { updates: { version: number }[] };
    return updates[0]?.version ?? 0;
  }

  async function connect(relay: number, path: string): Promise<WsClient> {
    const client = await WsClient.open(`ws://127.0.0.1:${relays[relay % RELAYS]?.port}${path}`);
    clients.push(client);
    return client;
  }

  it('deliver to 300 clients of both protocols within tens of milliseconds', async () => {
    const all = await Promise.all(
      Array.from({ length: CLIENTS }, (_, i) => connect(i, i % 2 ? '/ws?topic=chat' : '/update_check')),
    );
    await eventually(() => {
      for (const [i, client] of all.entries()) if (i % 2) expect(client.ofType('subscribed')).toHaveLength(1);
    });
    const took: number[] = [];
    for (let round = 1; round <= 5; round += 1) {
      const stopwatch = startStopwatch();
      const delivered = all.map((client) => once(client.socket, 'message'));
      await publish({ topic: 'chat', data: { round } });
      await Promise.all(delivered);
      const { tookMs, lateMs } = stopwatch.stop();
      took.push(tookMs - lateMs);
    }
    const median = took.sort((a, b) => a - b)[2] ?? Number.NaN;
    console.info(
      `an update reached all of ${CLIENTS} clients on ${RELAYS} relays in ${median.toFixed(0)} ms (median of 5)`,
    );
    expect(median).toBeLessThan(250);
    for (const [i, client] of all.entries()) {
      if (i % 2) expect(client.ofType('update').map((update) => update.data.round)).toEqual([1, 2, 3, 4, 5]);
      else expect(client.texts).toEqual(Array(5).fill('UPDATED'));
    }
    const deliveries = await Promise.all(relays.map((relay) => relay.metric('relay_deliveries_total')));
    expect(deliveries).toEqual(Array(RELAYS).fill((5 * CLIENTS) / RELAYS));
  });

  it('have the same version of a topic on every relay, and notify a client that resumes on another relay', async () => {
    const before = await publish({ topic: 'away' });
    const here = await connect(0, '/ws?topic=away&topic=never');
    await eventually(() => expect(here.ofType('subscribed')).toHaveLength(1));
    const numbers = here.ofType('subscribed')[0].topics;
    expect(numbers.away).toBe(before);
    here.terminate();
    const missed = await publish({ topic: 'away', data: 'new' });
    const behind = await connect(1, `/ws?topic=away&topic=never&since=${before},${numbers.never}`);
    const current = await connect(2, `/ws?topic=away&topic=never&since=${missed},${numbers.never}`);
    await eventually(() => expect(behind.messages).toHaveLength(2));
    expect(behind.messages).toEqual([
      { type: 'subscribed', topics: { away: missed, never: numbers.never } },
      { type: 'update', topic: 'away', version: missed, data: 'new' },
    ]);
    await eventually(() => expect(current.ofType('subscribed')).toHaveLength(1));
    current.send({ type: 'ping' });
    await eventually(() => expect(current.ofType('pong')).toHaveLength(1));
    expect(current.messages).toEqual([
      { type: 'subscribed', topics: { away: missed, never: numbers.never } },
      { type: 'pong' },
    ]);
  });

  it('pass data on as it was published: every digit, key and escape, by every transport', async () => {
    const data = '{"b":9007199254740993,"a":[1e400,1.0,"\\u00fc \\ud800"],"0":{}}';
    const client = await connect(0, '/ws?topic=exact');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const version = await publish(` { "topic": "exact",\r\n "data" : ${data.replaceAll(',', ' ,\n\t')} } `);
    const update = `{"type":"update","topic":"exact","version":${version},"data":${data}}`;
    await eventually(() => expect(client.texts.at(-1)).toBe(update));
    const late = await connect(1, '/ws?topic=exact&since=0');
    await eventually(() => expect(late.texts.at(-1)).toBe(update));
    const http = `http://127.0.0.1:${relays[2]?.port}`;
    expect(await (await fetch(`${http}/topics/exact`)).text()).toBe(update.replace('"type":"update",', ''));
    const stream = await fetch(`${http}/events?topic=exact&since=0`);
    let events = '';
    for await (const chunk of stream.body ?? []) {
      events += new TextDecoder().decode(chunk);
      if (events.includes('event: update')) break;
    }
    expect(events).toContain(`event: update\ndata: ${update}\n\n`);
  });

  it('exit with 0 at SIGTERM, and relays close clients with 1012 and a reconnect delay', async () => {
    const [staying, leaving] = [await connect(0, '/ws?topic=chat'), await connect(1, '/ws?topic=chat')];
    const others = clients.filter((client) => client.socket.url.includes(`:${relays[1]?.port}/`));
    expect(await relays[1]?.stop()).toBe(0);
    await eventually(() => expect(leaving.closed).toBeDefined());
    for (const client of others) {
      expect(client.closed?.code).toBe(1012);
      expect(client.closed?.reason).toMatch(/^\d{1,4}$/);
    }
    expect(staying.closed).toBeUndefined();
    expect(await webhook.stop()).toBe(0);
    expect(await relays[0]?.stop()).toBe(0);
    expect(await relays[2]?.stop()).toBe(0);
  });
});
