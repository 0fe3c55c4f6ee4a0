import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
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

  /** Publishes to the topics in turn until the relay reports a client behind. Returns the newest version of each topic. */
  async function publishUntilBehind(): Promise<Map<string, number>> {
    const newest = new Map<string, number>();
    while ((await relay.metric('relay_sessions_behind')) === 0) {
      for (const topic of TOPICS) newest.set(topic, await relay.publish(topic, { data: DATA }));
      await new Promise(setImmediate);
    }
    return newest;
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
