import { ConnectionAdmission } from '../../services/relay/access/admission.ts';
import { Origins } from '../../services/relay/access/origins.ts';
import { ReceiptQueryHandler } from '../../services/relay/cluster/receipt-query-handler.ts';
import { RelayRegistryView } from '../../services/relay/cluster/relay-registry-view.ts';
import { answerLongPolls, disconnect, drain, shed } from '../../services/relay/drain.ts';
import { Hub } from '../../services/relay/hub/hub.ts';
import { FRESH_INTERVALS } from '../../services/relay/hub/repair.ts';
import { LegacyHandover } from '../../services/relay/session/legacy-handover.ts';
import { Sessions } from '../../services/relay/session/sessions.ts';
import { LongPollTransport } from '../../services/relay/transport/long-poll/long-poll-transport.ts';
import { JSON_ENCODER, LEGACY_ENCODER } from '../../services/relay/transport/message-encoder.ts';
import { SseTransport } from '../../services/relay/transport/sse/sse-transport.ts';
import { Sweep, type Sweepable } from '../../services/relay/transport/sweep.ts';
import type { Accept } from '../../services/relay/transport/transport.ts';
import { WebsocketTransport } from '../../services/relay/transport/websocket/websocket-transport.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import { type Sabotage, sabotageAccept, sabotageFeed } from './sabotage.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedBroker, type SimulatedCluster } from './simulated-broker.ts';
import { SimulatedEngine } from './simulated-engine.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { ResponsePeer, SimulatedResponse } from './simulated-response.ts';
import type { Peer, SimulatedSocket } from './simulated-socket.ts';
import { createSimulatedAuthorization } from './simulated-tokens.ts';
import type { Trace } from './trace.ts';

/** Settings of the relays, in milliseconds: the defaults, except for those that would make runs long. */
export const REPAIR_INTERVAL_MS = 3000;
export const FLOOR_SPREAD_MS = 2000;
const PING_INTERVAL_MS = 5000;
const STUCK_TIMEOUT_MS = 20_000;
const DRAIN_WINDOW_MS = 3000;
const MAX_TOPICS = 16;
/** Room for the data of about one topic. */
const MAX_DATA_BYTES = 4;

/** A relay, composed as in `relay.ts`, with a simulated broker and simulated connections. */
export class SimulatedRelay {
  readonly process: SimulatedProcess;
  readonly broker: SimulatedBroker;
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly server: SimulatedEngine;
  readonly #sweeps: readonly Sweep[];
  readonly #registry: RelayRegistryView;
  #listening = true;
  /** Whether clients that connect again at once are sent to other relays, as if this one had too many. */
  isAboveShare = false;

  constructor(deps: {
    process: SimulatedProcess;
    cluster: SimulatedCluster;
    time: VirtualTime;
    random: SeededRandom;
    trace: Trace;
    sabotage: Sabotage | undefined;
    /** If it is started with another setting than the cluster. */
    partitions?: number | undefined;
  }) {
    const { process, cluster, time, random, trace, sabotage } = deps;
    const { clock, name } = process;
    this.process = process;
    this.broker = new SimulatedBroker({
      name,
      cluster,
      clock,
      ...(deps.partitions !== undefined && { partitions: deps.partitions }),
      confirmsSettings: sabotage !== 'settings',
      abort: () => this.kill(false),
    });
    this.server = new SimulatedEngine({
      clock,
      networkClock: time.clock(() => random.next()),
      random,
      isTurnEnd: () => time.isTurnEnd,
    });
    const feed = sabotageFeed(this.broker, sabotage);
    this.hub = new Hub({
      feed,
      clock,
      report: {
        delivered: ({ update, clients }) =>
          trace.log(`${name} delivers ${update.topic} ${update.version} to ${clients} clients`),
        received() {},
        dataDropped() {},
        conflated() {},
        roundBegun() {},
        digested() {},
        probed: (proof) => proof !== 'complete' && trace.log(`${name}: signals are ${proof}`),
        digestFailed: () => trace.log(`${name}: digest failed`),
        updatesRepaired: (count) => count > 0 && trace.log(`${name} repairs ${count} updates`),
        floorRaised: () => trace.log(`${name} learns of a raised floor`),
        deafSubscriptionReplaced: () => trace.log(`${name} replaces a subscription that lost signals`),
        freshness: (fresh) => trace.log(`${name} is ${fresh ? 'fresh' : 'stale'}`),
      },
      repairIntervalMs: REPAIR_INTERVAL_MS,
      probing: () => this.#registry.exchangeEarly(),
      auditIntervalMs: cluster.auditIntervalMs,
      floorSpreadMs: FLOOR_SPREAD_MS,
      maxDataBytes: random.chance(0.5) ? MAX_DATA_BYTES : Number.POSITIVE_INFINITY,
    });
    this.sessions = new Sessions({
      hub: this.hub,
      clock,
      limits: { maxTopics: MAX_TOPICS, maxRelayTopics: Number.POSITIVE_INFINITY, messagesPerSecond: 0 },
      authorization: createSimulatedAuthorization({ process, nowMs: () => time.nowMs }),
      report: {
        fellBehind() {},
        caughtUp() {},
        bufferDrained() {},
        ended() {},
        sent() {},
        sentPaced() {},
        sentLate() {},
        refused() {},
      },
    });
    const accept: Accept = (connection, greeting) => this.sessions.accept(connection, greeting);
    const shared = {
      app: this.server.app,
      accept: sabotageAccept(accept, sabotage),
      admission: new ConnectionAdmission({
        limits: { maxConnections: 0, maxConnectionsPerAddress: 0, connectionPointsPerSecond: 0 },
        origins: new Origins({ allowed: [], sameHostOnly: false, allowMissing: true }),
        readAddress: () => '',
        isAllowedHost: () => true,
        evictionPool: this.sessions,
        isFresh: () => this.hub.fresh,
        isAboveShare: () => this.isAboveShare,
        nowMs: () => clock.monotonicMs(),
      }),
      report: { opened() {}, closed() {}, stuck() {}, refused() {} },
      maxTopics: MAX_TOPICS,
      maxMessageBytes: 0,
      nowMs: () => clock.monotonicMs(),
    };
    const json = new WebsocketTransport({ ...shared, path: '/ws', encoder: JSON_ENCODER });
    const legacy = new WebsocketTransport({ ...shared, path: '/update_check', encoder: LEGACY_ENCODER });
    const events = new SseTransport({ ...shared, clock, corsHeaders: () => ({}) });
    const topics = new LongPollTransport({ ...shared, clock, corsHeaders: () => ({}), maxWaiting: 0 });
    const transports = [json, legacy, events, topics];
    this.#registry = new RelayRegistryView({
      id: name,
      registry: feed,
      clock,
      load: () => ({ connections: this.sessions.size, shed: 0 }),
      freshnessMs: FRESH_INTERVALS * REPAIR_INTERVAL_MS,
      exchanged() {},
    });
    const receipts = new ReceiptQueryHandler({
      receipts: this.broker.receipts,
      relay: name,
      clock,
      receiptOf: (topic) => {
        const last = this.hub.lastDelivered(topic);
        return (
          last && {
            ...last,
            subscribed: this.hub.subscribers(topic),
            behind: this.sessions.countBehind(topic),
            ...(sabotage !== 'receipt-floor' && { floor: this.hub.acknowledgedFloor(topic) }),
          }
        );
      },
    });
    this.broker.receipts.onQuery((query) => receipts.handle(query));
    const handover = new LegacyHandover({
      sessions: this.sessions,
      hub: this.hub,
      clock,
      close: (session) => disconnect(session, clock),
    });
    this.hub.deliverTo({
      deliver: (update, paced) => transports.reduce((sum, transport) => sum + transport.deliver(update, paced), 0),
      sendFreshness(fresh) {
        if (!process.alive) return; // a promise may resolve after the end
        for (const transport of transports) transport.sendFreshness(fresh);
        handover.freshnessChanged(fresh);
      },
      pace: (since, windowMs) => this.sessions.pace(since, windowMs),
      spreadMs: () => 0,
    });
    this.#sweeps = [json.connections, legacy.connections, events.connections].map(
      (connections: ReadonlySet<Sweepable>) =>
        new Sweep({
          clock,
          connections,
          intervalMs: PING_INTERVAL_MS,
          stuckMs: STUCK_TIMEOUT_MS,
          stuck() {},
        }),
    );
  }

  get takesClients(): boolean {
    return this.process.runs && this.#listening;
  }

  start(): void {
    void this.broker.start();
    this.hub.start();
    this.#registry.start();
    for (const sweep of this.#sweeps) sweep.start();
  }

  /** Handles an HTTP request; returns undefined if the relay refuses the connection. */
  request(url: URL, headers: Readonly<Record<string, string>>, peer: ResponsePeer): SimulatedResponse | undefined {
    return this.takesClients ? this.server.request(url, headers, peer) : undefined;
  }

  /** Handles a WebSocket upgrade; returns undefined if the relay refuses the connection. */
  connect(path: string, query: string, peer: Peer): SimulatedSocket | undefined {
    return this.takesClients ? this.server.connect(path, query, peer) : undefined;
  }

  /** Closes at most `count` connections, as to fill emptier relays. Returns the number closed. */
  shed(count: number): number {
    return shed({ sessions: this.sessions, clock: this.process.clock, count });
  }

  /**
   * Shuts down gracefully; resolves when the process has ended.
   * @param waitMs how long it continues to serve, while load balancers learn that it is not ready
   */
  async drain(waitMs: number): Promise<void> {
    const { sessions } = this;
    const { clock } = this.process;
    this.isAboveShare = true;
    this.#registry.drain();
    answerLongPolls({ sessions, clock, windowMs: 0.8 * waitMs });
    await new Promise<void>((resolve) => void clock.after(waitMs, resolve));
    this.#listening = false;
    await drain({ sessions, clock, windowMs: DRAIN_WINDOW_MS });
    this.hub.stop();
    await this.#registry.stop();
    this.kill(false);
  }

  /** Kills the process; `silently` if its machine fails too, so that connections are not closed. */
  kill(silently: boolean): void {
    this.process.kill();
    this.server.vanish(silently);
    void this.broker.stop();
  }
}
