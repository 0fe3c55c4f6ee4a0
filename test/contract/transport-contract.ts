import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ENGINES } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { FailingBroker } from '../support/failing-broker.ts';
import { freePort } from '../support/free-port.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { JWT_SECRET, signToken } from '../support/tokens.ts';
import type { OpenClient, TransportClient } from '../support/transport-client.ts';

/** What every transport promises. */
export function describeTransport(name: string, open: OpenClient): void {
  describe.each(ENGINES)(`clients by ${name}, served by %s,`, (engine) => {
    let relay: RelayFixture;
    let broker: FailingBroker;
    const clients: TransportClient[] = [];
    const relays: RelayFixture[] = [];

    async function start(env: Record<string, string> = {}): Promise<RelayFixture> {
      const fixture = await startRelay({
        env: { RELAY_ENGINE: engine, RELAY_PORT: String(await freePort()), REPAIR_INTERVAL: '100ms', ...env },
        broker,
      });
      relays.push(fixture);
      return fixture;
    }

    async function listen(
      topics: readonly string[],
      options: { since?: ReadonlyMap<string, number>; token?: string; to?: RelayFixture } = {},
    ) {
      const { to = relay, ...rest } = options;
      const client = await open({ http: to.http, topics, ...rest });
      clients.push(client);
      return client;
    }

    beforeEach(async () => {
      broker = new FailingBroker();
      await broker.start();
      relay = await start();
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.close();
      for (const fixture of relays.splice(0)) await fixture.stop();
      await broker.stop();
    });

    const knows = (client: TransportClient, topics: readonly string[]) =>
      eventually(() => expect([...client.known.keys()].sort()).toEqual([...topics].sort()));

    it('receive each update of their topics with data and spread, in order, and of no other topic', async () => {
      const client = await listen(['a', 'b']);
      await knows(client, ['a', 'b']);
      await relay.publish('other');
      const one = await relay.publish('a', { data: { n: 1 }, spread: 20 });
      await eventually(() =>
        expect(client.updates).toEqual([{ topic: 'a', version: one, data: { n: 1 }, spread: 20 }]),
      );
      const two = await relay.publish('b', { data: 'ä\n👋' });
      await eventually(() => expect(client.updates.slice(1)).toEqual([{ topic: 'b', version: two, data: 'ä\n👋' }]));
      const three = await relay.publish('a', { data: null });
      await eventually(() => expect(client.updates.slice(2)).toEqual([{ topic: 'a', version: three, data: null }]));
    });

    it('get a version for a topic that was never published, the same on every relay', async () => {
      const other = await start();
      const [here, there] = [await listen(['new']), await listen(['new'], { to: other })];
      await knows(here, ['new']);
      await knows(there, ['new']);
      expect(here.known.get('new')).toBe(there.known.get('new'));
      expect(here.updates).toEqual([]);
    });

    it('that reconnect receive the newest version of changed topics, once, and nothing of others', async () => {
      const first = await listen(['a', 'b']);
      await knows(first, ['a', 'b']);
      const since = new Map(first.known);
      first.close();
      await relay.publish('a', { data: 'skipped' });
      const version = await relay.publish('a', { data: 'newest' });
      const other = await start();
      const back = await listen(['a', 'b'], { since, to: other });
      await eventually(() => expect(back.updates).toEqual([{ topic: 'a', version, data: 'newest' }]));
      const marker = await relay.publish('b');
      await eventually(() => expect(back.updates.slice(1)).toEqual([{ topic: 'b', version: marker }]));
      expect(await other.metric('relay_deliveries_total')).toBe(2);
    });

    it('that connect while an update is in transit receive it once', async () => {
      for (let n = 0; n < 10; n += 1) {
        const topic = `race/${n}`;
        const old = await relay.publish(topic);
        const holder = await listen([topic]);
        await knows(holder, [topic]);
        const coming = listen([topic], { since: new Map([[topic, old]]) });
        const version = await relay.publish(topic);
        const client = await coming;
        await eventually(() => expect(client.updates.at(-1)?.version).toBe(version));
        const marker = await relay.publish(topic);
        await eventually(() => expect(client.updates.at(-1)?.version).toBe(marker));
        expect(client.updates.filter((update) => update.version === version)).toHaveLength(1);
        holder.close();
        client.close();
      }
    });

    it('that send an unknown version receive the current one', async () => {
      const version = await relay.publish('a');
      const client = await listen(['a'], { since: new Map([['a', Number.MAX_SAFE_INTEGER]]) });
      await eventually(() => expect(client.updates).toEqual([{ topic: 'a', version }]));
    });

    it('are refused for an invalid topic', async () => {
      const client = await listen(['a b']);
      await eventually(() => expect(client.refusal).toBe('invalid_topic'));
    });

    it('need a token for private topics, and one that grants them', async () => {
      const guarded = await start({ SUBSCRIBE_AUTH: 'optional', PRIVATE_TOPICS: 'secret/*', JWT_SECRET });
      const token = await signToken({ topics: ['secret/mine'] });
      const [none, bad, other, good] = [
        await listen(['secret/mine'], { to: guarded }),
        await listen(['secret/mine'], { to: guarded, token: 'x.y.z' }),
        await listen(['secret/other'], { to: guarded, token }),
        await listen(['secret/mine'], { to: guarded, token }),
      ];
      await eventually(() =>
        expect([none.refusal, bad.refusal, other.refusal]).toEqual(['unauthorized', 'unauthorized', 'topic_forbidden']),
      );
      await knows(good, ['secret/mine']);
      const version = await relay.publish('secret/mine');
      await eventually(() => expect(good.updates).toEqual([{ topic: 'secret/mine', version }]));
      expect([none, bad, other].flatMap(({ updates }) => updates)).toEqual([]);
    });

    it('lose a private topic when their token expires', async () => {
      const guarded = await start({ SUBSCRIBE_AUTH: 'required', JWT_SECRET });
      const exp = Math.floor(Date.now() / 1000) + 2;
      const client = await listen(['secret'], { to: guarded, token: await signToken({ topics: ['secret'], exp }) });
      await knows(client, ['secret']);
      await eventually(() => expect(client.refusal).toBe('unauthorized'));
      await relay.publish('secret');
      expect(client.updates).toEqual([]);
    });

    it('are closed by a draining relay, and resume on another one', async () => {
      const leaving = await start();
      const client = await listen(['a'], { to: leaving });
      await knows(client, ['a']);
      await leaving.relay.stop();
      await eventually(() => expect(client.isDrained).toBe(true));
      expect(client.refusal).toBeUndefined();
      const version = await relay.publish('a');
      const back = await listen(['a'], { since: client.known });
      await eventually(() => expect(back.updates).toEqual([{ topic: 'a', version }]));
    });

    it('are notified when their relay is stale, and receive missed updates when it is fresh again', async () => {
      const client = await listen(['a']);
      await knows(client, ['a']);
      expect(client.fresh).toBe(true);
      broker.failing = true;
      await eventually(() => expect(client.fresh).toBe(false));
      broker.failing = false;
      const version = await relay.publish('a');
      await eventually(() => expect(client.fresh).toBe(true));
      await eventually(() => expect(client.updates.at(-1)).toEqual({ topic: 'a', version }));
    });

    it('that connect to a stale relay get no confirmation that nothing has changed', async () => {
      const version = await relay.publish('a');
      broker.failing = true;
      await eventually(() => expect(relay.relay.hub.fresh).toBe(false));
      const client = await listen(['a'], { since: new Map([['a', version]]) });
      await eventually(() => expect(client.fresh).toBe(false));
      expect(client.updates).toEqual([]);
      broker.failing = false;
      await eventually(() => expect(client.fresh).toBe(true));
    });

    it('that stop reading queue nothing in the relay, and receive the newest versions when they read again', async () => {
      const [slow, quick] = [await listen(['a', 'b']), await listen(['a', 'b'])];
      await knows(slow, ['a', 'b']);
      await knows(quick, ['a', 'b']);
      slow.pause();
      let published = 0;
      const publish = async (topic: string, data: unknown) => {
        published += 1;
        return relay.publish(topic, { data });
      };
      // More than a kernel holds for one connection; by then a client that is always connected has fallen behind.
      const data = 'x'.repeat(50_000);
      while (published < 400 && (await relay.metric('relay_sessions_behind')) === 0) {
        await publish('a', data);
        await new Promise(setImmediate);
      }
      for (let n = 0; n < 100; n += 1) await publish('a', n);
      const newest = [await publish('a', 'newest'), await publish('b', 'newest')];
      const versions = ({ known }: TransportClient) => [known.get('a'), known.get('b')];
      await eventually(() => expect(versions(quick)).toEqual(newest));
      slow.resume();
      await eventually(() => expect(versions(slow)).toEqual(newest));
      expect(slow.updates.length).toBeLessThan(published - 50);
      for (const client of [slow, quick]) {
        const ofA = client.updates.filter(({ topic }) => topic === 'a').map(({ version }) => version);
        expect(ofA).toEqual([...new Set(ofA)].sort((a, b) => a - b));
      }
      await eventually(async () => expect(await relay.metric('relay_sessions_behind')).toBe(0));
    });

    it('receive a spread if they are many for the request budget of the web application', async () => {
      const careful = await start({ ORIGIN_RPS: '10' });
      const many = await Promise.all(Array.from({ length: 4 }, () => listen(['a'], { to: careful })));
      for (const client of many) await knows(client, ['a']);
      await eventually(async () => expect(await careful.metric('relay_connections')).toBe(4));
      const version = await careful.publish('a');
      for (const client of many) {
        await eventually(() => expect(client.updates).toEqual([{ topic: 'a', version, spread: expect.any(Number) }]));
        const { spread } = client.updates[0] as { spread: number };
        expect(spread).toBeGreaterThanOrEqual(100);
        expect(spread).toBeLessThanOrEqual(400);
      }
    });

    it.each([
      ['MAX_CONNECTIONS', 'relay_full'],
      ['MAX_CONNECTIONS_PER_ADDRESS', 'too_many_connections'],
    ])('come in again when there is room within %s', async (limit, code) => {
      const small = await start({ [limit]: '1' });
      const first = await listen(['a'], { to: small });
      await knows(first, ['a']);
      const second = await listen(['a'], { to: small });
      await eventually(() => expect(second.refusal ?? (second.isDrained ? code : undefined)).toBe(code));
      second.close();
      first.close();
      await eventually(async () => {
        const third = await listen(['a'], { to: small });
        await eventually(() => expect([...third.known.keys()]).toEqual(['a']), 500);
      });
    });

    it('are counted when they connect, receive updates, are refused and disconnect', async () => {
      const guarded = await start({ SUBSCRIBE_AUTH: 'optional', PRIVATE_TOPICS: 'secret', JWT_SECRET });
      const client = await listen(['a'], { to: guarded });
      await knows(client, ['a']);
      await eventually(async () => expect(await guarded.metric('relay_connections')).toBe(1));
      await guarded.publish('a');
      await eventually(async () => expect(await guarded.metric('relay_deliveries_total')).toBe(1));
      await listen(['secret'], { to: guarded });
      await eventually(async () => expect(await guarded.metric('relay_refusals_total')).toBeGreaterThan(0));
      client.close();
      await eventually(async () => {
        const opened = await guarded.metric('relay_connections_opened_total');
        expect(opened).toBeGreaterThanOrEqual(2);
        expect(await guarded.metric('relay_connections_closed_total')).toBe(opened);
      });
    });

    it('leave nothing behind when they disconnect', async () => {
      const many = await Promise.all(Array.from({ length: 20 }, () => listen(['a', 'b'])));
      for (const client of many) await knows(client, ['a', 'b']);
      for (const client of many) client.close();
      await eventually(async () => {
        expect(relay.relay.hub.topics).toBe(0);
        expect(await relay.metric('relay_connections')).toBe(0);
      });
    });
  });
}
