import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { RelayTelemetry } from '../../../../services/relay/telemetry/relay-telemetry.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import { createLogger } from '../../../../services/shared/logger.ts';
import { TRANSPORT_NAMES } from '../../../../services/shared/protocol/transport-name.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';

const NOW_MS = 1_790_000_000_000;
const topic = 'chat' as Topic;

let nowMs: number;
let registry: Registry;
let telemetry: RelayTelemetry;

beforeEach(() => {
  nowMs = NOW_MS;
  registry = new Registry();
  telemetry = new RelayTelemetry({
    registry,
    logger: createLogger({ name: 'relay', level: 'silent' }),
    clock: { ...SYSTEM_CLOCK, nowMs: () => nowMs, monotonicMs: () => nowMs - NOW_MS },
  });
  telemetry.observe({
    server: { sockets: 7 },
    hub: { topics: 3, dataBytes: 0, digestAgeMs: 1500 },
    sessions: new Set(),
  });
});

/** Returns the lines of a metric as Prometheus reads them, without those that are 0. */
async function linesOf(name: string): Promise<string[]> {
  const text = await registry.getSingleMetricAsString(name);
  return text.split('\n').filter((line) => !line.startsWith('#') && !line.endsWith(' 0'));
}

/** Notes the delivery of an update whose version was assigned `ageMs` milliseconds ago; undefined for a floor raise. */
function deliver(ageMs: number | undefined, clients: number, spread?: number): void {
  telemetry.delivered({
    update: { topic, version: 1, ...(spread === undefined ? {} : { spread }) },
    flush: 1,
    clients,
    paced: ageMs === undefined || spread !== undefined,
    beganAtMs: nowMs - NOW_MS,
    publishedAtMs: ageMs === undefined ? undefined : nowMs - NOW_MS - ageMs,
  });
}

describe('the metrics of a relay', () => {
  it('count a delivery for each client, and each update that is sent on its own', async () => {
    deliver(5, 3);
    deliver(5, 0);
    telemetry.sent();
    expect(await linesOf('relay_deliveries_total')).toEqual(['relay_deliveries_total 4']);
  });

  it('measure the latency of deliveries, but not of floor raises, and never below 0', async () => {
    deliver(20, 3);
    deliver(-20, 3); // Redis' clock is ahead
    deliver(undefined, 3);
    const lines = await linesOf('relay_delivery_latency_seconds');
    expect(lines).toContain('relay_delivery_latency_seconds_bucket{le="0.001"} 1');
    expect(lines).toContain('relay_delivery_latency_seconds_bucket{le="0.025"} 2');
    expect(lines).toContain('relay_delivery_latency_seconds_count 2');
  });

  it('show the spread of the last delivery, also if all its clients are paced', async () => {
    deliver(0, 2000, 4000);
    expect(await linesOf('relay_spread_seconds')).toEqual(['relay_spread_seconds 4']);
    deliver(0, 3);
    expect(await linesOf('relay_spread_seconds')).toEqual([]);
    deliver(0, 0, 2000); // legacy clients only
    deliver(0, 0); // no client
    expect(await linesOf('relay_spread_seconds')).toEqual(['relay_spread_seconds 2']);
  });

  it('count the seconds of a stale relay as they pass, from its start on', async () => {
    nowMs += 2000;
    expect(await linesOf('relay_stale_seconds_total')).toEqual(['relay_stale_seconds_total 2']);
    nowMs += 1000;
    telemetry.freshness(true);
    nowMs += 60_000;
    expect(await linesOf('relay_stale_seconds_total')).toEqual(['relay_stale_seconds_total 3']);
    telemetry.freshness(false);
    nowMs += 500;
    expect(await linesOf('relay_stale_seconds_total')).toEqual(['relay_stale_seconds_total 3.5']);
    expect(await linesOf('relay_fresh')).toEqual([]);
  });

  it('have no label for a close code that a client invented', async () => {
    for (const code of [1000, 4401, 3456, 4999]) telemetry.closed('websocket', code);
    expect((await linesOf('relay_connections_closed_total')).sort()).toEqual([
      'relay_connections_closed_total{transport="websocket",code="1000"} 1',
      'relay_connections_closed_total{transport="websocket",code="4401"} 1',
      'relay_connections_closed_total{transport="websocket",code="other"} 2',
    ]);
  });

  it('name transports as dashboards and alerts know them', async () => {
    for (const name of TRANSPORT_NAMES) telemetry.opened(name);
    expect((await linesOf('relay_connections')).sort()).toEqual(
      ['longpoll', 'sse', 'update_check', 'websocket'].map((label) => `relay_connections{transport="${label}"} 1`),
    );
  });

  it('show how many clients are behind, and how often one fell behind', async () => {
    const client = { topics: [topic], supportsSpread: true, subscribedFrom: 0, bufferedBytes: 0 };
    telemetry.fellBehind(client, 1);
    telemetry.fellBehind(client, 1);
    telemetry.caughtUp(client);
    expect(await linesOf('relay_sessions_behind')).toEqual(['relay_sessions_behind 1']);
    expect(await linesOf('relay_sessions_fell_behind_total')).toEqual(['relay_sessions_fell_behind_total 2']);
  });

  it('read gauges at each scrape', async () => {
    expect(await linesOf('relay_sockets')).toEqual(['relay_sockets 7']);
    expect(await linesOf('relay_topics')).toEqual(['relay_topics 3']);
    expect(await linesOf('relay_digest_age_seconds')).toEqual(['relay_digest_age_seconds 1.5']);
  });
});
