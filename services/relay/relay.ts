import type { BrokerFeed, RelayRegistry } from '../shared/broker/broker.ts';
import type { ReceiptResponder } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import { AppError } from '../shared/errors.ts';
import { createClientAddressReader } from '../shared/http/client-address.ts';
import { createUntrustedProxyLog } from '../shared/http/untrusted-proxy-log.ts';
import type { Logger } from '../shared/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import type { ServiceStats } from '../shared/trace/service-stats.ts';
import { ConnectionAdmission } from './access/admission.ts';
import { createAuthorization } from './access/authorization.ts';
import { Origins } from './access/origins.ts';
import { Rebalancer } from './cluster/rebalancer.ts';
import { ReceiptQueryHandler } from './cluster/receipt-query-handler.ts';
import { createRelayId, RelayRegistryView } from './cluster/relay-registry-view.ts';
import type { RelayConfig } from './config.ts';
import { createTransports } from './create-transports.ts';
import { answerLongPolls, disconnect, drain, shed } from './drain.ts';
import { createEngine } from './engine/create-engine.ts';
import { Hub } from './hub/hub.ts';
import { FRESH_INTERVALS } from './hub/repair.ts';
import { RelayFanout } from './relay-fanout.ts';
import { LegacyHandover } from './session/legacy-handover.ts';
import { Sessions } from './session/sessions.ts';
import { RelayTelemetry } from './telemetry/relay-telemetry.ts';

/** Waiting long-polls are answered within this part of the time before a relay stops: their clients need the rest. */
const ANSWERED_BEFORE = 0.8;

/** A relay: the service that clients connect to. */
export interface Relay {
  readonly hub: Hub;
  /** Returns a summary for the statistics pages. */
  facts(): { readonly connections: number; readonly topics: number; readonly fresh: boolean };
  /** Listens, and begins to repair; its owner starts the feed. Resolves with the port. Call it once. */
  start(): Promise<number>;
  /**
   * Prepares to stop after `waitMs`: goes on to serve, but answers waiting long-polls, ends connections with their
   * responses, and lets other relays know. Idempotent.
   */
  prepareStop(waitMs: number): void;
  /** Closes all connections within the drain window, then stops. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Composes a relay from leaves to root, without starting it. Two calls go upwards, after both sides exist: `hub.deliverTo` and
 * `telemetry.observe`.
 * @param deps.feed must not be started yet
 * @param deps.fresh called each time that the relay becomes fresh
 */
export function createRelay(deps: {
  config: RelayConfig;
  feed: BrokerFeed & RelayRegistry & { readonly receipts: ReceiptResponder };
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  fresh?: () => void;
  stats?: ServiceStats;
}): Relay {
  const { config, feed, registry, logger, clock, stats, fresh = () => {} } = deps;
  const { originBudget, maxSpreadMs, drainWindowMs } = config;

  const telemetry = new RelayTelemetry({ registry, logger, clock, ...(stats && { stats }) });
  const hub = new Hub({
    feed,
    clock,
    report: telemetry,
    repairIntervalMs: config.repairIntervalMs,
    probing: () => cluster.exchangeEarly(),
    floorSpreadMs: config.floorSpreadMs,
    maxDataBytes: config.maxDataBytes,
  });
  const sessions = new Sessions({
    hub,
    clock,
    limits: config.limits,
    authorization: createAuthorization({ config: config.subscribe, clock }),
    admitTopics: (topics) => admission.admitTopics(topics),
    report: telemetry,
  });

  const rebalancer = new Rebalancer({
    perSecond: config.rebalancePerSecond,
    clock,
    shed(count) {
      const closed = shed({ sessions, clock, count });
      telemetry.shed(closed);
      return closed;
    },
  });
  const origins = new Origins(config.origins);
  const admission = new ConnectionAdmission({
    limits: config.admission,
    origins,
    readAddress: createClientAddressReader(config.trustedProxies, createUntrustedProxyLog({ logger, clock })),
    isAllowedHost: config.isAllowedHost,
    evictionPool: sessions,
    isFresh: () => hub.fresh,
    isAboveShare: () => rebalancer.isAboveShare,
    nowMs: () => clock.monotonicMs(),
  });
  const { engine: server, selection } = createEngine(config.engine, {
    tls: config.tls,
    maxSockets: config.maxSockets,
    refused: () => telemetry.refused(new AppError('relay_full')),
  });
  const transports = createTransports({
    app: server.app,
    config,
    accept: (connection, request) => sessions.accept(connection, request),
    admission,
    origins,
    report: telemetry,
    clock,
  });

  const handover = new LegacyHandover({
    sessions,
    hub,
    clock,
    close: (session) => disconnect(session, clock),
  });
  const id = createRelayId();
  const cluster = new RelayRegistryView({
    id,
    registry: feed,
    clock,
    load: () => ({ connections: admission.connections, shed: rebalancer.shed }),
    freshnessMs: FRESH_INTERVALS * config.repairIntervalMs,
    exchanged(view) {
      telemetry.membership(
        view.others.length + 1,
        view.others.reduce((sum, connections) => sum + connections, view.own),
      );
      rebalancer.evaluate(view);
    },
  });
  const receipts = new ReceiptQueryHandler({
    receipts: feed.receipts,
    relay: id,
    clock,
    receiptOf(topic) {
      const last = hub.lastDelivered(topic);
      return (
        last && {
          ...last,
          subscribed: hub.subscribers(topic),
          behind: sessions.countBehind(topic),
          floor: hub.acknowledgedFloor(topic),
        }
      );
    },
  });
  feed.receipts.onQuery((query) => receipts.handle(query));

  const connections = { own: () => admission.connections, cluster: () => cluster.connections };
  const all = transports.byName;
  hub.deliverTo(
    new RelayFanout({
      transports: all,
      sessions,
      connections,
      originBudget,
      maxSpreadMs,
      report: telemetry,
      clock,
      freshnessChanged(isFresh) {
        handover.freshnessChanged(isFresh);
        if (isFresh) fresh();
      },
    }),
  );
  telemetry.observe({ server, hub, sessions });
  telemetry.engineSelected(selection);

  let stopped: Promise<void> | undefined;
  let isLeaving = false;

  function prepareStop(waitMs: number): void {
    if (isLeaving) return;
    isLeaving = true;
    rebalancer.drain();
    cluster.drain(); // stays registered: a receipt must not ignore clients that are not notified yet
    server.closeAfterResponses();
    if (waitMs > 0) answerLongPolls({ sessions, clock, windowMs: waitMs * ANSWERED_BEFORE });
  }

  async function stop(): Promise<void> {
    telemetry.draining(sessions.size, drainWindowMs);
    prepareStop(0);
    admission.drain(); // kept-alive connections bring new requests
    server.stopListening();
    await drain({ sessions, clock, windowMs: drainWindowMs });
    telemetry.drained();
    transports.stop();
    hub.stop();
    server.close();
    await cluster.stop();
  }

  return {
    hub,
    facts: () => ({ connections: admission.connections, topics: hub.topics, fresh: hub.fresh }),
    async start() {
      const port = await server.listen({ host: config.host, port: config.port, shared: config.sharesPort ?? false });
      hub.start();
      transports.start();
      cluster.start();
      return port;
    },
    prepareStop,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
