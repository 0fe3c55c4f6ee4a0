import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../shared/clock.ts';
import { TRANSPORT_NAMES, type TransportName } from '../../shared/protocol/transport-name.ts';
import type { HubReport } from '../hub/fanout.ts';
import type { SessionReport } from '../session/session-deps.ts';
import type { ConnectionReport } from '../transport/transport.ts';

const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Close codes that get a label of their own; any other is `other`, since a client may send what it likes. */
const KNOWN_CODES = new Set([1000, 1001, 1005, 1006, 1008, 1009, 1012, 1013, 4401, 4403, 4429]);

/** Values of the label `transport`. */
const TRANSPORT_LABELS: Readonly<Record<TransportName, string>> = {
  websocket: 'websocket',
  sse: 'sse',
  'long-poll': 'longpoll',
  legacy: 'update_check',
};

/** Turns what a relay reports into metrics. */
export function createRelayMetrics(deps: {
  registry: Registry;
  sockets: () => number;
  topics: () => number;
  digestAgeMs: () => number;
  clock: Clock;
}) {
  const { clock } = deps;
  const registers = [deps.registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const connections = new Gauge({
    name: 'relay_connections',
    help: 'Open connections, by transport. Panel "Connections by relay"; alerts HeliographRelaysUneven, HeliographClientsBehind',
    labelNames: ['transport'],
    registers,
  });
  const opened = new Counter({
    name: 'relay_connections_opened_total',
    help: 'Connections that were opened, by transport. Panel "Connections opened and closed"',
    labelNames: ['transport'],
    registers,
  });
  for (const name of TRANSPORT_NAMES) {
    const transport = TRANSPORT_LABELS[name];
    connections.set({ transport }, 0); // a relay that nobody has found yet has a share too: none
    opened.inc({ transport }, 0);
  }
  const closed = new Counter({
    name: 'relay_connections_closed_total',
    help: 'Connections that were closed, by transport and close code. Panel "Connections opened and closed"',
    labelNames: ['transport', 'code'],
    registers,
  });
  new Gauge({
    name: 'relay_sockets',
    help: 'Open sockets of the public port: clients, and those that are none (yet), such as half a handshake. Panel "Connections by transport"',
    registers,
    collect() {
      this.set(deps.sockets());
    },
  });
  const stuck = counter(
    'relay_connections_stuck_total',
    'Connections given up because they took nothing for too long. Panel "Fell behind, and stuck"',
  );
  new Gauge({
    name: 'relay_topics',
    help: 'Topics that clients of this relay listen to. Panel "Topics"',
    registers,
    collect() {
      this.set(deps.topics());
    },
  });
  const deliveries = counter(
    'relay_deliveries_total',
    'Updates handed to clients: one for each update and client, also where one comes back for it. Panel "Deliveries"',
  );
  const latency = new Histogram({
    name: 'relay_delivery_latency_seconds',
    help: 'From the version of an update, which is its time in Redis, to its hand-over to the clients. Panel "Delivery latency"; alert HeliographDeliverySlow',
    buckets: LATENCY_BUCKETS_S,
    registers,
  });
  const fanout = new Histogram({
    name: 'relay_fanout_duration_seconds',
    help: 'How long it took to hand one update to all clients of this relay that listen to its topic. Panel "Fan-out"',
    buckets: [0.000_01, 0.000_1, ...LATENCY_BUCKETS_S],
    registers,
  });
  const conflated = counter(
    'relay_updates_conflated_total',
    'Updates replaced by a newer one before they were handed over. Panel "Deliveries and conflated updates"',
  );
  const behind = new Gauge({
    name: 'relay_sessions_behind',
    help: 'Clients that take less than is published. Panel "Clients behind"; alert HeliographClientsBehind',
    registers,
  });
  const fellBehind = counter(
    'relay_sessions_fell_behind_total',
    'Times that a client fell behind. Panel "Fell behind, and stuck"',
  );
  const refusals = new Counter({
    name: 'relay_refusals_total',
    help: 'What clients asked for and did not get, by error code. Panel "Refused requests"; alerts HeliographRelayFull, HeliographKeysUnavailable',
    labelNames: ['code'],
    registers,
  });
  const digests = new Counter({
    name: 'relay_digests_total',
    help: 'Digests that were asked for, by outcome. Panel "Repair"',
    labelNames: ['outcome'],
    registers,
  });
  const digestSeconds = new Histogram({
    name: 'relay_digest_duration_seconds',
    help: 'How long digests took. Panel "Digest duration"',
    buckets: LATENCY_BUCKETS_S,
    registers,
  });
  new Gauge({
    name: 'relay_digest_age_seconds',
    help: `How long ago the oldest of the partitions' last digests was asked for. Panel "Digest age"`,
    aggregator: 'max',
    registers,
    collect() {
      this.set(deps.digestAgeMs() / 1000);
    },
  });
  const rounds = new Counter({
    name: 'relay_repairs_total',
    help: 'Rounds of digests, by cause: the interval, or a link to Redis that came up. Panel "Digest rounds"',
    labelNames: ['cause'],
    registers,
  });
  const repaired = counter(
    'relay_updates_repaired_total',
    'Updates that a digest brought because pub/sub had not. Panel "Repair"; alert HeliographPubSubLosesSignals',
  );
  const floorRaises = counter(
    'relay_floor_raises_total',
    'Times that a floor was raised: Redis may have lost updates. Panel "Repair"; alert HeliographRedisForgot',
  );
  const deaf = counter(
    'relay_subscriptions_replaced_total',
    'Subscriptions replaced because signals did not arrive. Panel "Repair"; alert HeliographPubSubLosesSignals',
  );
  const fresh = new Gauge({
    name: 'relay_fresh',
    help: 'Whether this relay can vouch for what it says (1). Panel "Fresh relays"; alerts HeliographNoRelay, HeliographRelayStale',
    aggregator: 'min',
    registers,
  });
  let staleSinceMs: number | undefined = clock.monotonicMs();
  const stale = new Counter({
    name: 'relay_stale_seconds_total',
    help: 'For how long this relay could not vouch for what it says. Panel "Stale relays"',
    registers,
    collect() {
      if (staleSinceMs === undefined) return;
      const now = clock.monotonicMs();
      this.inc((now - staleSinceMs) / 1000);
      staleSinceMs = now;
    },
  });

  const relays = new Gauge({
    name: 'relay_cluster_relays',
    help: 'Relays of the cluster, as this one sees it. Panel "Relays seen by each relay"',
    aggregator: 'max',
    registers,
  });
  const clusterConnections = new Gauge({
    name: 'relay_cluster_connections',
    help: 'Connections of all relays of the cluster, as this one sees it. Panel "Connections seen by each relay"',
    aggregator: 'max',
    registers,
  });
  const shed = counter(
    'relay_connections_shed_total',
    'Clients sent away because this relay held more than its share. Panel "Draining and rebalancing"',
  );
  const draining = new Gauge({
    name: 'relay_draining',
    help: 'Whether this relay is going away (1). Panel "Draining and rebalancing"',
    aggregator: 'max',
    registers,
  });
  const spread = new Gauge({
    name: 'relay_spread_seconds',
    help: 'Over how long clients were asked to spread the refetch of the update that was told last. Panel "Refetch spread"',
    aggregator: 'max',
    registers,
  });

  const hub: HubReport = {
    delivered(update, clients, live) {
      const spreadMs = update.spread ?? 0;
      // Where there is a spread, those who do not know it are told later.
      if (clients > 0 || spreadMs > 0) spread.set(spreadMs / 1000);
      if (clients === 0) return;
      deliveries.inc(clients);
      if (live) latency.observe(Math.max(0, clock.nowMs() / 1000 - update.version / 1_000_000));
    },
    conflated: () => conflated.inc(),
    digested(seconds) {
      digests.inc({ outcome: 'ok' });
      digestSeconds.observe(seconds);
    },
    roundBegun: (cause) => rounds.inc({ cause }),
    digestFailed: () => digests.inc({ outcome: 'failed' }),
    updatesRepaired: (count) => repaired.inc(count),
    floorRaised: () => floorRaises.inc(),
    deafSubscriptionReplaced: () => deaf.inc(),
    freshness(isFresh) {
      fresh.set(isFresh ? 1 : 0);
      if (!isFresh) staleSinceMs = clock.monotonicMs();
      else if (staleSinceMs !== undefined) {
        stale.inc((clock.monotonicMs() - staleSinceMs) / 1000);
        staleSinceMs = undefined;
      }
    },
  };
  const session: SessionReport = {
    fellBehind() {
      behind.inc();
      fellBehind.inc();
    },
    caughtUp: () => behind.dec(),
    sent: () => deliveries.inc(),
    refused: ({ code }) => refusals.inc({ code }),
  };
  const connection: ConnectionReport = {
    opened(name) {
      const transport = TRANSPORT_LABELS[name];
      connections.inc({ transport });
      opened.inc({ transport });
    },
    closed(name, code) {
      const transport = TRANSPORT_LABELS[name];
      connections.dec({ transport });
      closed.inc({ transport, code: KNOWN_CODES.has(code) ? String(code) : 'other' });
    },
    stuck: () => stuck.inc(),
    refused: ({ code }) => refusals.inc({ code }),
  };
  const cluster = {
    picture(count: number, connections: number) {
      relays.set(count);
      clusterConnections.set(connections);
    },
    shed: (count: number) => shed.inc(count),
    draining: () => draining.set(1),
    fannedOut: (seconds: number) => fanout.observe(seconds),
  };
  return { hub, session, connection, cluster };
}
