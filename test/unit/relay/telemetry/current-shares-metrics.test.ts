import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BufferedClient } from '../../../../services/relay/session/session-ports.ts';
import { CurrentSharesMetrics } from '../../../../services/relay/telemetry/current-shares-metrics.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const chat = 'chat' as Topic;
const news = 'news' as Topic;
/** In this time every buffer is examined. */
const EXAMINED_MS = 1000;
/** In this time every update is counted. */
const COUNTED_MS = 70_000;

class FakeClient implements BufferedClient {
  readonly topics: readonly Topic[];
  readonly supportsSpread: boolean;
  subscribedFrom = 0;
  bufferedBytes = 0;

  constructor(topics = [chat], supportsSpread = true) {
    this.topics = topics;
    this.supportsSpread = supportsSpread;
  }
}

let time: VirtualTime;
let registry: Registry;
let shares: CurrentSharesMetrics;
let clients: Set<FakeClient>;
let flush: number;

beforeEach(() => {
  time = new VirtualTime();
  registry = new Registry();
  shares = new CurrentSharesMetrics({ registry, clock: time.clock() });
  clients = new Set();
  shares.observe(clients);
  flush = 0;
});

function connect(client = new FakeClient()): FakeClient {
  clients.add(client);
  return client;
}

/** Delivers an update that was published 5 ms before. Returns its position. */
function deliver(subscribers: number, { topic = chat, paced = false, dataBytes = 0 } = {}): number {
  flush += 1;
  shares.delivered({
    update: { topic, version: flush, data: 'x'.repeat(dataBytes) as never },
    flush,
    clients: subscribers,
    paced,
    beganAtMs: time.nowMs,
    publishedAtMs: time.nowMs - 5,
  });
  return flush;
}

/** A client reads all that waits for it. */
function read(client: FakeClient): void {
  client.bufferedBytes = 0;
  shares.bufferDrained(client);
}

/** Returns the sum of the times in milliseconds for each share, and the number of updates. */
async function result(): Promise<{ updates: number; ms: Record<string, number> }> {
  const values = (await registry.getSingleMetric('relay_subscribers_current_seconds')?.get())?.values ?? [];
  const of = (suffix: string) =>
    (values as { metricName?: string; labels: { share?: number }; value: number }[]).filter(({ metricName }) =>
      metricName?.endsWith(suffix),
    );
  return {
    updates: of('_count').find(({ labels }) => labels.share === 1)?.value ?? 0,
    ms: Object.fromEntries(of('_sum').map(({ labels, value }) => [labels.share, Math.round(value * 1000)])),
  };
}

describe('the time until subscribers are current', () => {
  it('is that of the delivery if all buffers are empty', async () => {
    deliver(100);
    deliver(0);
    await time.runFor(EXAMINED_MS);
    expect(await result()).toEqual({ updates: 1, ms: { 0.5: 5, 0.95: 5, 0.99: 5, 1: 5 } });
  });

  it('includes the time for which a frame waited in a buffer, from the examination that found it', async () => {
    const slow = connect();
    slow.bufferedBytes = 10;
    deliver(100);
    await time.runFor(EXAMINED_MS);
    expect(await result()).toEqual({ updates: 0, ms: { 0.5: 0, 0.95: 0, 0.99: 0, 1: 0 } });
    read(slow);
    await time.runFor(EXAMINED_MS);
    expect(await result()).toEqual({ updates: 1, ms: { 0.5: 5, 0.95: 5, 0.99: 5, 1: 1005 } });
  });

  it('includes it also if the buffer was emptied before it was examined', async () => {
    const slow = connect();
    deliver(50);
    await time.runFor(80);
    read(slow);
    read(slow); // uWebSockets.js may say so twice
    await time.runFor(EXAMINED_MS);
    expect(await result()).toEqual({ updates: 1, ms: { 0.5: 5, 0.95: 5, 0.99: 85, 1: 85 } });
  });

  it('counts a client that is behind until it has caught up, for every update that it missed', async () => {
    const slow = connect();
    deliver(10);
    await time.runFor(EXAMINED_MS);
    shares.fellBehind(slow, deliver(10));
    await time.runFor(500);
    deliver(10);
    await time.runFor(1500);
    shares.caughtUp(slow);
    slow.bufferedBytes = 10;
    shares.bufferDrained(slow);
    await time.runFor(EXAMINED_MS);
    read(slow);
    await time.runFor(EXAMINED_MS);
    expect(await result()).toEqual({ updates: 3, ms: { 0.5: 15, 0.95: 5 + 3005 + 2505, 0.99: 5515, 1: 5515 } });
  });

  it('does not count a client that left before it was current', async () => {
    const slow = connect();
    shares.fellBehind(slow, deliver(2));
    await time.runFor(EXAMINED_MS);
    expect((await result()).updates).toBe(0);
    shares.ended(slow);
    clients.delete(slow);
    await time.runFor(EXAMINED_MS);
    expect(await result()).toEqual({ updates: 1, ms: { 0.5: 5, 0.95: 5, 0.99: 5, 1: 5 } });
  });

  it('is that of the newest updates in a buffer that never is empty', async () => {
    const slow = connect();
    slow.bufferedBytes = 100;
    for (let i = 0; i < 20; i += 1) {
      deliver(10, { dataBytes: 1000 });
      await time.runFor(100);
      shares.bufferDrained(slow);
    }
    read(slow);
    await time.runFor(COUNTED_MS);
    const { updates, ms } = await result();
    expect(updates).toBe(20);
    expect(ms[0.5]).toBe(20 * 5);
    // Each leaves when the next one has been delivered, and the last one at the end.
    expect(ms[1]).toBe(19 * 205 + 105);
  });

  it('is that of the topics of a client, and of the updates since its subscription', async () => {
    deliver(3, { topic: news });
    deliver(3);
    const slow = connect(new FakeClient([news, chat]));
    slow.subscribedFrom = 2;
    slow.bufferedBytes = 1000;
    await time.runFor(EXAMINED_MS);
    deliver(3, { topic: 'other' as Topic });
    read(slow);
    await time.runFor(EXAMINED_MS);
    expect(await result()).toMatchObject({ updates: 3, ms: { 0.5: 15, 1: 5 + 1005 + 5 } });
  });

  it('leaves out clients that get an update later on purpose', async () => {
    const [paced, other] = [connect(new FakeClient([chat], false)), connect()];
    const at = deliver(2, { paced: true });
    shares.fellBehind(paced, at);
    shares.fellBehind(other, at);
    await time.runFor(EXAMINED_MS);
    for (const client of [other, paced]) {
      shares.caughtUp(client);
      read(client);
      await time.runFor(EXAMINED_MS);
    }
    expect(await result()).toMatchObject({ updates: 1, ms: { 0.5: 5, 1: 1005 } });
  });

  it('is counted as it stands after a minute', async () => {
    const slow = connect();
    shares.fellBehind(slow, deliver(2));
    await time.runFor(COUNTED_MS);
    expect((await result()).updates).toBe(1);
    expect((await result()).ms[0.5]).toBe(5);
    expect((await result()).ms[1]).toBeGreaterThanOrEqual(60_000);
    deliver(2);
    await time.runFor(100);
    shares.caughtUp(slow);
    read(slow);
    await time.runFor(EXAMINED_MS);
    expect((await result()).updates).toBe(2);
  });

  it('is counted for every update, however many are delivered at once', async () => {
    for (let i = 0; i < 20_000; i += 1) deliver(1, { topic: `t${i % 100}` as Topic });
    await time.runFor(1);
    expect((await result()).updates).toBe(10_000);
    await time.runFor(EXAMINED_MS);
    expect((await result()).updates).toBe(20_000);
  });
});
