import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const BUSY_TOPICS = Array.from({ length: 10 }, (_, i) => `busy/${i}`);
const OTHERS = 500;
const PAUSE_MS = 20_000;
const UPDATES = 10_000;
const ROUND_MS = (PAUSE_MS * BUSY_TOPICS.length) / UPDATES;
/** 10,000 of them are more than the buffers between two processes of one machine hold. */
const DATA = 'x'.repeat(3000);

interface Received {
  readonly topic: string;
  readonly round: number;
}

/** Clients of one relay, and the delays of the ticks that they received. */
class Group {
  readonly clients: WsClient[] = [];
  readonly #delaysMs: number[] = [];

  async connect(relay: ServiceProcess, size: number): Promise<void> {
    for (let i = 0; i < size; i += 1) {
      const busy = i < size / 10 ? `&topic=${BUSY_TOPICS[i % BUSY_TOPICS.length]}` : '';
      const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=tick${busy}`);
      client.socket.removeAllListeners('message'); // do not store the texts
      client.socket.on('message', (data) => {
        const version = /^\{"type":"update","topic":"tick","version":(\d+)/.exec(String(data))?.[1];
        if (version !== undefined) this.#delaysMs.push(Date.now() - Number(version) / 1000);
      });
      this.clients.push(client);
    }
  }

  /** Returns the median and the 99th percentile of the delays since the last call. */
  take(): { median: number; p99: number; text: string } {
    const sorted = this.#delaysMs.splice(0).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    const [median, p99] = [at(0.5), at(0.99)];
    return { median, p99, text: `${median.toFixed(0)} ms (p99 ${p99.toFixed(0)} ms)` };
  }
}

describe('a client on ten topics that stops reading for 20 s while 10,000 updates pass, among 500 others', () => {
  let webhook: ServiceProcess;
  let relay: ServiceProcess;
  let otherRelay: ServiceProcess;
  const others = new Group();
  /** Clients of another relay, equally slowed down by a busy machine. */
  const elsewhere = new Group();

  beforeAll(async () => {
    const env = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      REBALANCE: '0', // the relays shall keep their unequal loads
      STUCK_TIMEOUT: '1h', // on a busy machine, the pause takes longer than its default
    };
    [webhook, relay, otherRelay] = await Promise.all([
      startService('webhook', env),
      startService('relay', env),
      startService('relay', env),
    ]);
    await others.connect(relay, OTHERS);
    await elsewhere.connect(otherRelay, OTHERS / 2);
  });
  afterAll(async () => {
    for (const client of [...others.clients, ...elsewhere.clients]) client.terminate();
    await Promise.all([webhook, relay, otherRelay].map((service) => service?.stop('SIGKILL')));
  });

  let round = 0;
  /** Publishes every busy topic at a rate of 10,000 updates in 20 s, and a tick for all clients in between. */
  async function publishFor(durationMs: number): Promise<void> {
    const endMs = Date.now() + durationMs;
    const rounds = Math.round(durationMs / ROUND_MS);
    for (let n = 0; n < rounds; n += 1) {
      round += 1;
      await publish({ topics: BUSY_TOPICS, data: { round, text: DATA } });
      if (n % 10 === 0) await publish({ topic: 'tick' });
      await pass(Math.max(0, endMs - (rounds - n - 1) * ROUND_MS - Date.now()));
    }
  }

  async function publish(body: unknown): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${webhook.port}/webhook`, {
      method: 'POST',
      headers: { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }

  it('stays connected, costs the others nothing, and receives the newest update of each topic when it reads again', async () => {
    const slow = await WsClient.open(
      `ws://127.0.0.1:${relay.port}/ws?${BUSY_TOPICS.map((topic) => `topic=${topic}`).join('&')}`,
    );
    await publishFor(4000);
    others.take();
    await publishFor(6000);
    const before = others.take();
    elsewhere.take();
    slow.pause();
    await publishFor(PAUSE_MS / 2);
    expect(await relay.metric('relay_sessions_behind')).toBe(1);
    const halfway = round; // all buffers for it are full by now
    await publishFor(PAUSE_MS / 2);
    const [during, meanwhile] = [others.take(), elsewhere.take()];
    const textsBefore = slow.texts.length;
    slow.resume();
    const received = (): Received[] =>
      slow.texts.slice(textsBefore).map((text) => {
        const { topic, data } = JSON.parse(text);
        return { topic, round: data.round };
      });
    await eventually(() => {
      const last = new Map(received().map(({ topic, round }) => [topic, round]));
      expect(last).toEqual(new Map(BUSY_TOPICS.map((topic) => [topic, round])));
    });
    const frames = received();
    const caughtUp = BUSY_TOPICS.map(
      (topic) => frames.filter((frame) => frame.topic === topic && frame.round > halfway).length,
    );
    console.info(
      `a client that read nothing for 20 s received ${frames.length} of ${UPDATES} updates, at most ` +
        `${Math.max(...caughtUp)} per topic of the last ${UPDATES / 2}; delays of the others: ${before.text} before, ` +
        `${during.text} meanwhile, of another relay ${meanwhile.text}`,
    );
    expect(frames.length).toBeLessThan(UPDATES / 2);
    expect(Math.max(...caughtUp)).toBeLessThanOrEqual(3);
    expect(slow.closed).toBeUndefined();
    expect(during.median).toBeLessThan(2 * Math.max(before.median, meanwhile.median) + 25);
    expect(during.p99).toBeLessThan(2 * Math.max(before.p99, meanwhile.p99) + 100);
    expect(others.clients.every((client) => client.closed === undefined)).toBe(true);
    await eventually(async () => expect(await relay.metric('relay_sessions_behind')).toBe(0));
    slow.terminate();
  });
});
