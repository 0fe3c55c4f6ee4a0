import type { BrokerFeed, RelayRegistry } from '../shared/broker/broker.ts';
import type { ReceiptResponder } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { NO_STATS, type ServiceStats } from '../shared/trace/service-stats.ts';
import { ConnectionAdmission } from './access/admission.ts';
import { createAuthorization } from './access/authorization.ts';
import { createClientAddressReader } from './access/client-address.ts';
import { Origins } from './access/origins.ts';
import { spreadMs } from './cluster/origin-budget.ts';
import { Rebalancer } from './cluster/rebalancer.ts';
import { ReceiptQueryHandler } from './cluster/receipt-query-handler.ts';
import { createRelayId, RelayRegistryView } from './cluster/relay-registry-view.ts';
import type { RelayConfig } from './config.ts';
import { createTransports } from './create-transports.ts';
import { drain, shed } from './drain.ts';
import { Hub } from './hub/hub.ts';
import { Sessions } from './session/sessions.ts';
import { createRelayMetrics } from './telemetry/metrics.ts';
import { recordUpdates } from './telemetry/record-updates.ts';
import { logRelay } from './telemetry/relay-log.ts';
import { UwsApp } from './transport/uws-app.ts';

/** A node that holds clients. */
export interface Relay {
  readonly hub: Hub;
  /** How it is, in short. */
  facts(): { readonly connections: number; readonly topics: number; readonly fresh: boolean };
  /** Begins to follow the broker, which its owner starts, and listens; resolves with the port. */
  start(): Promise<number>;
  /** Says goodbye to all clients and stops. Idempotent. */
  stop(): Promise<void>;
}

/** Puts a relay together without starting it. `fresh` is called when it can vouch for what it says, each time anew. */
export function createRelay(deps: {
  config: RelayConfig;
  feed: BrokerFeed & RelayRegistry & { readonly receipts: ReceiptResponder };
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  fresh?: () => void;
  stats?: ServiceStats;
}): Relay {
  const { config, feed, registry, logger, clock, stats = NO_STATS } = deps;
  const counted = createRelayMetrics({
    registry,
    clock,
    sockets: () => server.sockets,
    topics: () => hub.topics,
    digestAgeMs: () => hub.digestAgeMs,
  });
  const metrics = logRelay(counted, { logger, clock });
  const recorded = recordUpdates({ stats, metrics, clock });
  const hub = new Hub({
    feed,
    clock,
    report: recorded.hub,
    repairIntervalMs: config.repairIntervalMs,
    floorSpreadMs: config.floorSpreadMs,
    spreadOf(topic, subscribers) {
      const { connections } = admission;
      const clusterConnections = picture.connections;
      const perSecond = config.originBudget(topic);
      return spreadMs({ perSecond, subscribers, connections, clusterConnections, maxMs: config.maxSpreadMs });
    },
    fanout: {
      deliver(update, paced) {
        const begunMs = clock.monotonicMs();
        const listeners = recorded.publish(transports, update, paced);
        metrics.cluster.fannedOut((clock.monotonicMs() - begunMs) / 1000);
        return listeners;
      },
      sendFreshness(fresh) {
        transports.sendFreshness(fresh);
        if (fresh) deps.fresh?.();
      },
      pace: (mark, windowMs) => sessions.pace(mark, windowMs),
    },
  });
  const sessions = new Sessions({
    hub,
    clock,
    limits: config.limits,
    authorization: createAuthorization({ config: config.subscribe, clock }),
    report: recorded.session,
  });
  const origins = new Origins(config.origins);
  const admission = new ConnectionAdmission({
    limits: config.admission,
    origins,
    readAddress: createClientAddressReader(config.trustedProxies),
    evictionPool: sessions,
    nowMs: () => clock.monotonicMs(),
  });
  const rebalance = new Rebalancer({
    perSecond: config.rebalancePerSecond,
    clock,
    shed(count) {
      const away = shed({ sessions, clock, count });
      metrics.cluster.shed(away);
      return away;
    },
  });
  const id = createRelayId();
  const picture = new RelayRegistryView({
    id,
    registry: feed,
    clock,
    connections: () => admission.connections,
    exchanged() {
      const { relays, connections } = picture;
      metrics.cluster.picture(relays, connections);
      rebalance.evaluate({ relays, connections, own: admission.connections });
    },
  });
  const queryHandler = new ReceiptQueryHandler({
    receipts: feed.receipts,
    relay: id,
    clock,
    receiptOf(topic) {
      const last = hub.lastDelivered(topic);
      return last && { ...last, listening: hub.subscribers(topic), behind: sessions.countBehind(topic) };
    },
  });
  feed.receipts.onQuery((query) => queryHandler.handle(query));
  const server = new UwsApp({
    tls: config.tls,
    maxSockets: config.maxSockets,
    refused: () => metrics.connection.refused(new AppError('relay_full')),
  });
  const transports = createTransports({
    server,
    config,
    accept: (connection, greeting) => sessions.accept(connection, greeting),
    admission,
    origins,
    report: metrics.connection,
    clock,
  });
  let stopped: Promise<void> | undefined;

  async function stop(): Promise<void> {
    metrics.cluster.draining();
    rebalance.stop();
    const forgotten = picture.stop();
    admission.drain(); // connections that are kept alive bring new requests
    server.stopListening();
    const windowMs = config.drainWindowMs;
    logger.info({ clients: sessions.size, windowMs }, 'says goodbye to its clients');
    await drain({ sessions, clock, windowMs });
    logger.info('all clients have been sent away');
    transports.stop();
    hub.stop();
    server.close();
    await forgotten;
  }

  return {
    hub,
    facts: () => ({ connections: admission.connections, topics: hub.topics, fresh: hub.fresh }),
    async start() {
      const port = await server.listen({ host: config.host, port: config.port, shared: config.sharesPort ?? false });
      hub.start();
      transports.start();
      picture.start();
      return port;
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
