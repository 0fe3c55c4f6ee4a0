import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { SseClient } from '../support/sse-client.ts';
import type { WsClient } from '../support/ws-client.ts';

const TOPICS = Array.from({ length: 10 }, (_, i) => `t${i}`);
const QUERY = TOPICS.map((topic) => `topic=${topic}`).join('&');
const DATA = 'x'.repeat(30_000);

describe('a client that does not read', () => {
  let relay: RelayFixture;
  beforeEach(async () => {
    relay = await startRelay({ env: { STUCK_TIMEOUT: '3s', PING_INTERVAL: '1s' } });
  });
  afterEach(() => relay.stop());

  /** Publishes to the topics in turn until the relay reports clients behind. Returns the newest version of each topic. */
  async function publishUntilBehind(clients = 1): Promise<Map<string, number>> {
    const newest = new Map<string, number>();
    while ((await relay.metric('relay_sessions_behind')) < clients) {
      for (const topic of TOPICS) newest.set(topic, await relay.publish(topic, { data: DATA }));
      await new Promise(setImmediate);
    }
    return newest;
  }

  /** Returns how many updates were counted, and the sum of the times until a share of their subscribers was current. */
  async function currentTimes(share: number): Promise<{ count: number; sumMs: number }> {
    const read = (text: string, name: string) =>
      Number(
        new RegExp(`^relay_subscribers_current_seconds_${name}{share="${share}"} (.*)$`, 'm').exec(text)?.[1] ?? 0,
      );
    const text = await relay.metrics();
    return { count: read(text, 'count'), sumMs: read(text, 'sum') * 1000 };
  }

  function lastVersions(client: WsClient): Map<string, number> {
    return new Map(client.ofType('update').map(({ topic, version }) => [topic, version]));
  }

  it('gets the newest version of each topic when it reads again, without effect on others', async () => {
    const [slow, quick] = [await relay.connect(`/ws?${QUERY}`), await relay.connect(`/ws?${QUERY}`)];
    await eventually(() => expect(quick.ofType('subscribed')).toHaveLength(1));
    slow.pause();
    const before = await publishUntilBehind();
    await eventually(() => expect(lastVersions(quick)).toEqual(before));
    // While it is behind, nothing more is queued for it, however much is published.
    const newest = new Map<string, number>();
    for (let round = 0; round < 20; round += 1) {
      for (const topic of TOPICS) newest.set(topic, await relay.publish(topic, { data: round }));
      await eventually(() => expect(lastVersions(quick)).toEqual(newest));
    }
    expect(slow.closed).toBeUndefined();
    slow.resume();
    await eventually(() => expect(lastVersions(slow)).toEqual(newest));
    expect(slow.ofType('update').length).toBeLessThan(quick.ofType('update').length);
    await eventually(async () => expect(await relay.metric('relay_sessions_behind')).toBe(0));
  });

  it('is not current until it has what it missed, and delays no share that does not need it', async () => {
    const streams = [0, 1].map(() => SseClient.open(`${relay.http}/events?${QUERY}`));
    const [slow, slowStream] = [await relay.connect(`/ws?${QUERY}`), await streams[0]];
    const [quick, quickStream] = [await relay.connect(`/ws?${QUERY}`), await streams[1]];
    if (!slowStream || !quickStream) throw new Error('there is no stream');
    for (const client of [slow, slowStream, quick, quickStream]) {
      await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    }
    slow.pause();
    slowStream.pause();
    const beganAtMs = performance.now();
    await publishUntilBehind(2);
    const publishedAtMs: number[] = [];
    const lateMs = () => publishedAtMs.reduce((sum, atMs) => sum + performance.now() - atMs, 0);
    // More than all deliveries took, of which up to ten overlap.
    while (lateMs() < 20 * (performance.now() - beganAtMs)) {
      const version = await relay.publish('t0', { data: 'last' });
      publishedAtMs.push(performance.now());
      await eventually(() => {
        expect(quick.texts.at(-1)).toContain(`"version":${version},`);
        expect(quickStream.events.findLast(({ name }) => name === 'update')?.data).toContain(`"version":${version},`);
      });
    }
    const missedMs = lateMs();
    const [, delivered] = /^relay_delivery_latency_seconds_count (.*)$/m.exec(await relay.metrics()) ?? [];
    slow.resume();
    slowStream.resume();
    await eventually(async () => expect((await currentTimes(1)).count).toBe(Number(delivered)), 20_000);
    const [half, all] = [await currentTimes(0.5), await currentTimes(1)];
    expect(all.sumMs - half.sumMs).toBeGreaterThan(missedMs);
    quickStream.close();
    slowStream.close();
  });

  it('is disconnected after STUCK_TIMEOUT without progress, while an idle one is pinged and stays', async () => {
    const [stuck, idle] = [await relay.connect(`/ws?${QUERY}`), await relay.connect('/ws?topic=quiet')];
    await eventually(() => expect(stuck.ofType('subscribed')).toHaveLength(1));
    stuck.pause();
    await publishUntilBehind();
    await eventually(async () => expect(await relay.metric('relay_connections_stuck_total')).toBe(1));
    expect(await relay.metric('relay_sessions_behind')).toBe(0);
    expect(relay.relay.hub.topics).toBe(1);
    expect(idle.closed).toBeUndefined();
    expect(idle.pings).toBeGreaterThanOrEqual(2);
  });
});
