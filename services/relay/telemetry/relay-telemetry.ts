import type { SignalProof } from '../../shared/broker/broker.ts';
import type { Clock } from '../../shared/clock.ts';
import type { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { addBuildLabels, type MetricsRegistry } from '../../shared/process/metrics-registry.ts';
import type { TransportName } from '../../shared/protocol/transport-name.ts';
import { type BulkStats, NO_STATS, type ServiceStats } from '../../shared/trace/service-stats.ts';
import type { Update } from '../../shared/update/update.ts';
import type { EngineSelection } from '../engine/create-engine.ts';
import type { FlushPosition } from '../hub/flushes.ts';
import type { Delivery, HubReport } from '../hub/hub.ts';
import type { StaleCause } from '../hub/repair.ts';
import type { FanoutReport, TransportDelivery } from '../relay-fanout.ts';
import type { BufferedClient, SessionReport } from '../session/session-ports.ts';
import type { ConnectionReport } from '../transport/transport.ts';
import { ClusterMetrics } from './cluster-metrics.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { type BufferedClients, CurrentSharesMetrics } from './current-shares-metrics.ts';
import { DeliveryMetrics } from './delivery-metrics.ts';
import { RelayLog } from './relay-log.ts';
import { RepairMetrics } from './repair-metrics.ts';
import { UpdateSpans } from './update-spans.ts';

/**
 * Turns every event of a relay into metrics, log lines and spans. The one object that all parts of a relay report to: a
 * new measurement is added here, and in the file of its kind.
 */
export class RelayTelemetry implements HubReport, SessionReport, ConnectionReport, FanoutReport {
  readonly #registry: MetricsRegistry;
  readonly #connections: ConnectionMetrics;
  readonly #deliveries: DeliveryMetrics;
  readonly #shares: CurrentSharesMetrics;
  readonly #repair: RepairMetrics;
  readonly #cluster: ClusterMetrics;
  readonly #log: RelayLog;
  /** undefined if this process records no call statistics. */
  readonly #stats: BulkStats | undefined;
  readonly #spans: UpdateSpans | undefined;

  constructor(deps: { registry: MetricsRegistry; logger: Logger; clock: Clock; stats?: ServiceStats }) {
    const { registry, logger, clock, stats = NO_STATS } = deps;
    this.#registry = registry;
    this.#connections = new ConnectionMetrics({ registry });
    this.#deliveries = new DeliveryMetrics({ registry, clock });
    this.#shares = new CurrentSharesMetrics({ registry, clock });
    this.#repair = new RepairMetrics({ registry, clock });
    this.#cluster = new ClusterMetrics({ registry });
    this.#log = new RelayLog({ logger, clock });
    this.#stats = stats.bulk;
    this.#spans = stats.bulk && new UpdateSpans({ tracer: stats.tracer, stats: stats.bulk, clock });
  }

  /** Adds what is read at each scrape, or now and then. Called once. */
  observe(sources: {
    server: { readonly sockets: number };
    hub: { readonly topics: number; readonly dataBytes: number; readonly digestAgeMs: number };
    sessions: BufferedClients;
  }): void {
    this.#connections.observe(sources.server);
    this.#deliveries.observe(sources.hub);
    this.#repair.observe(sources.hub);
    this.#shares.observe(sources.sessions);
  }

  engineSelected(selection: EngineSelection): void {
    addBuildLabels(this.#registry, { engine: selection.name, engine_reason: selection.reason });
    this.#log.engineSelected(selection);
  }

  // Updates: the hub, the fan-out, and sessions that send on their own.

  received(update: Update, digestRequestedAtMs?: number): void {
    this.#spans?.received(update, digestRequestedAtMs);
  }

  dataDropped(): void {
    this.#deliveries.dataDropped();
  }

  conflated(): void {
    this.#deliveries.conflated();
  }

  fannedOut(update: Update, deliveries: readonly TransportDelivery[], ms: number): void {
    this.#deliveries.fannedOut(ms);
    this.#spans?.delivered(update, deliveries);
  }

  delivered(delivery: Delivery): void {
    this.#deliveries.delivered(delivery);
    this.#shares.delivered(delivery);
  }

  sent(): void {
    this.#deliveries.sent();
  }

  sentPaced(): void {
    this.#deliveries.sentPaced();
  }

  sentLate(update: Update): void {
    this.#spans?.sentLate(update);
  }

  fellBehind(client: BufferedClient, since: FlushPosition): void {
    this.#deliveries.fellBehind();
    this.#shares.fellBehind(client, since);
  }

  caughtUp(client: BufferedClient): void {
    this.#deliveries.caughtUp();
    this.#shares.caughtUp(client);
  }

  bufferDrained(client: BufferedClient): void {
    this.#shares.bufferDrained(client);
  }

  ended(client: BufferedClient): void {
    this.#shares.ended(client);
  }

  // Repair.

  roundBegun(cause: 'interval' | 'link'): void {
    this.#repair.roundBegun(cause);
  }

  digested(seconds: number): void {
    this.#repair.digested(seconds);
    this.#stats?.count('digest', seconds * 1000);
  }

  probed(proof: SignalProof): void {
    this.#repair.probed(proof);
  }

  digestFailed(): void {
    this.#repair.digestFailed();
    this.#stats?.count('digest', 0, true);
  }

  updatesRepaired(count: number): void {
    this.#repair.updatesRepaired(count);
  }

  floorRaised(): void {
    this.#repair.floorRaised();
    this.#log.floorRaised();
  }

  deafSubscriptionReplaced(): void {
    this.#repair.deafSubscriptionReplaced();
    this.#log.deafSubscriptionReplaced();
  }

  freshness(fresh: boolean, cause?: StaleCause): void {
    this.#repair.freshness(fresh);
    this.#log.freshness(fresh, cause);
  }

  // Connections.

  opened(transport: TransportName): void {
    this.#connections.opened(transport);
  }

  closed(transport: TransportName, code: number): void {
    this.#connections.closed(transport, code);
  }

  stuck(): void {
    this.#connections.stuck();
  }

  refused(refusal: AppError): void {
    this.#connections.refused(refusal);
    this.#log.refused(refusal);
    this.#stats?.count('refused request', 0, false, `${refusal.status} ${refusal.code}`);
  }

  // The cluster, and this relay's part in it.

  membership(relays: number, connections: number): void {
    this.#cluster.membership(relays, connections);
  }

  /** Connections were closed because this relay holds more than its share. */
  shed(count: number): void {
    this.#connections.shed(count);
  }

  /** This relay begins to close all its connections, within `windowMs`. */
  draining(clients: number, windowMs: number): void {
    this.#connections.draining();
    this.#log.draining(clients, windowMs);
  }

  drained(): void {
    this.#log.drained();
  }
}
