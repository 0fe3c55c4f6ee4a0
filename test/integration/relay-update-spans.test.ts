import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { parseTraceparent } from '../../services/shared/trace/traceparent.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { SseClient } from '../support/sse-client.ts';
import { startStats } from '../support/stats-fixture.ts';

let statistics: Awaited<ReturnType<typeof startStats>>;
let relay: RelayFixture;
let traces = 0;

beforeEach(async () => {
  statistics = await startStats({ STATS_TOKEN: 'a-token-of-the-tests' });
});
afterEach(async () => {
  await relay?.stop();
  await statistics.stop();
});

async function start(options: Parameters<typeof startRelay>[0] = {}): Promise<void> {
  relay = await startRelay({ ...options, stats: statistics.stats.service('relay') });
}

/** A trace of a publisher, with its `traceparent`. */
function newTrace(options: { sampled: boolean }): { id: string; traceparent: string } {
  traces += 1;
  const id = traces.toString(16).padStart(32, '0');
  return { id, traceparent: `00-${id}-b7ad6b7169203331-0${options.sampled ? 1 : 0}` };
}

interface Row {
  readonly name: string;
  readonly depth: number;
  readonly kind: string;
  readonly afterUs: number;
  readonly durationUs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

async function rowsOf(traceId: string): Promise<readonly Row[]> {
  return eventually(async () => {
    const answer = await statistics.get(`/stats/traces/${traceId}`);
    if (answer.status !== 200) throw new Error(`no trace ${traceId}`);
    return (await answer.json()).lanes.flatMap(({ rows }: { rows: Row[] }) => rows);
  });
}

/** Returns a broker that has run for a minute when it starts: its floor is that old. */
function createOldBroker(): MemoryBroker {
  let ageMs = 60_000;
  class OldBroker extends MemoryBroker {
    override async start(): Promise<void> {
      await super.start();
      ageMs = 0;
    }
  }
  return new OldBroker({ nowMs: () => Date.now() - ageMs });
}

/** Fills the list of slowest updates with updates that seem to be a second old, so that unsampled ones are not recorded. */
async function occupySlowest(): Promise<void> {
  for (let i = 0; i < 15; i += 1) {
    const version = (Date.now() - 1000) * 1000 + i;
    relay.relay.hub.deliver({ topic: 'busy' as Topic, version, ...newTrace({ sampled: false }) });
    await eventually(async () => expect(await relay.metric('relay_deliveries_total')).toBe(i + 1));
  }
}

describe('a relay with call statistics', () => {
  it('records merge and delivery of an update per transport, never per client', async () => {
    await start();
    const clients = await Promise.all(Array.from({ length: 30 }, () => relay.connect('/ws?topic=chat')));
    const events = await SseClient.open(`${relay.http}/events?topic=chat`);
    await eventually(() => expect(relay.relay.hub.subscribers('chat' as Topic)).toBe(31));
    for (const client of clients) await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const { id, traceparent } = newTrace({ sampled: true });
    const version = await relay.publish('chat', { traceparent, data: { secret: 1 } });
    const rows = await rowsOf(id);
    expect(rows.map(({ name, depth, kind }) => [name, depth, kind])).toEqual([
      ['deliver', 0, 'consumer'],
      ['merge', 1, 'internal'],
      ['deliver, websocket', 1, 'internal'],
      ['deliver, sse', 1, 'internal'],
    ]);
    expect(rows[0]?.attributes).toEqual({ topic: 'chat', version, by: 'signal', clients: 31 });
    expect(rows.slice(2).map(({ attributes }) => attributes.clients)).toEqual([30, 1]);
    const [deliver, merge, websocket, sse] = rows as [Row, Row, Row, Row];
    expect(merge.durationUs + websocket.durationUs + sse.durationUs).toBeLessThanOrEqual(deliver.durationUs + 10);
    expect(websocket.afterUs).toBeGreaterThanOrEqual(merge.afterUs + merge.durationUs - 2);
    expect(JSON.stringify(rows)).not.toContain('secret');
    events.close();
  });

  it('records that an update was replaced by a newer one before delivery', async () => {
    await start();
    const client = await relay.connect('/ws?topic=chat');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const [old, recent] = [newTrace({ sampled: true }), newTrace({ sampled: true })];
    const topic = 'chat' as Topic;
    relay.relay.hub.deliver({ topic, version: Date.now() * 1000, traceparent: old.traceparent });
    relay.relay.hub.deliver({ topic, version: Date.now() * 1000 + 1, traceparent: recent.traceparent });
    expect((await rowsOf(recent.id))[0]?.attributes).toMatchObject({ clients: 1 });
    expect((await rowsOf(old.id))[0]?.attributes).toMatchObject({ conflated: true });
    expect((await rowsOf(old.id)).map(({ name }) => name)).toEqual(['deliver', 'merge']);
  });

  it('records that a digest brought an update whose signal was lost', async () => {
    class DeafBroker extends MemoryBroker {
      override async watch(): Promise<void> {}
      override async probe(...args: Parameters<MemoryBroker['probe']>) {
        return { ...(await super.probe(...args)), signals: 'lost' as const };
      }
    }
    await start({ env: { REPAIR_INTERVAL: '200ms' }, ownBroker: new DeafBroker() });
    const client = await relay.connect('/ws?topic=chat');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const { id, traceparent } = newTrace({ sampled: true });
    await relay.publish('chat', { traceparent });
    const rows = await rowsOf(id);
    expect(rows.map(({ name }) => name)).toEqual(['deliver', 'repair', 'merge', 'deliver, websocket']);
    expect(rows[0]?.attributes).toMatchObject({ by: 'repair', clients: 1 });
  });

  it('records the catch-up of clients that were behind as one span with their number', async () => {
    await start();
    const clients = await Promise.all([1, 2, 3].map(() => relay.connect('/ws?topic=chat')));
    for (const client of clients) await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    for (const client of clients) client.pause();
    const data = 'x'.repeat(60_000);
    await eventually(async () => {
      await relay.publish('chat', { data });
      expect(await relay.metric('relay_sessions_behind')).toBe(3);
    });
    const { id, traceparent } = newTrace({ sampled: true });
    const version = await relay.publish('chat', { traceparent });
    await rowsOf(id);
    for (const client of clients) client.resume();
    await eventually(async () => {
      const late = (await rowsOf(id)).filter(({ name }) => name === 'catch up');
      expect(late.map(({ attributes }) => attributes)).toEqual([{ topic: 'chat', version, clients: 3 }]);
    });
  });

  it('records an unsampled update only if it is slow, or another service wants its trace', async () => {
    await start({ ownBroker: createOldBroker() });
    for (const topic of ['busy', 'chat']) {
      const client = await relay.connect(`/ws?topic=${topic}`);
      await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    }
    await occupySlowest();
    const quick = newTrace({ sampled: false });
    await relay.publish('chat', { traceparent: quick.traceparent });
    await eventually(async () => expect(await relay.metric('relay_deliveries_total')).toBe(16));
    const marker = newTrace({ sampled: true });
    await relay.publish('chat', { traceparent: marker.traceparent });
    await rowsOf(marker.id);
    expect((await statistics.get(`/stats/traces/${quick.id}`)).status).toBe(404);
    // Another service of this process finds its part of the trace slow.
    const { tracer } = statistics.stats.service('webhook');
    const parent = parseTraceparent(quick.traceparent) ?? expect.unreachable('it is one');
    tracer.startSpan('POST /webhook', {}, trace.setSpanContext(ROOT_CONTEXT, parent)).end();
    await eventually(async () => {
      const names = (await rowsOf(quick.id)).map(({ name }) => name).sort();
      expect(names).toEqual(['POST /webhook', 'deliver', 'deliver, websocket', 'merge']);
    });
  });

  it('counts every delivery, recorded or not', async () => {
    await start();
    const client = await relay.connect('/ws?topic=chat');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    for (let i = 0; i < 100; i += 1) {
      await relay.publish('chat');
      await eventually(() => expect(client.ofType('update')).toHaveLength(i + 1));
    }
    await eventually(async () => {
      const { calls } = await (await statistics.get('/stats')).json();
      const named = Object.fromEntries(calls.map(({ name, count }: Record<string, unknown>) => [name, count]));
      expect(named['deliver, websocket']).toBe(100);
      expect(named.digest).toBeGreaterThan(0);
    });
    const { kept, processes } = await (await statistics.get('/stats')).json();
    expect(kept).toBe(0); // publishing is not recorded here
    expect(processes[0].services).toContain('relay');
  });
});
