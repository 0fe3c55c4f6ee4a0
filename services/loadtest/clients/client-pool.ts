import type { TransportName } from '../../shared/protocol/transport-name.ts';
import { CurrentTimes } from '../measure/current-times.ts';
import { type CheckResult, createReasons, type Figures, type LastUpdates } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import { preciseNowMs } from '../timing/precise-now.ts';
import type { ConnectionOwner, RawConnection } from '../wire/raw-connection.ts';
import { RelayMessageCache } from '../wire/relay-message.ts';
import { createHandshake } from '../wire/websocket-connection.ts';
import type { ClientPlan } from './client-plan.ts';
import { openConnection } from './open-connection.ts';
import { ReceivedVersions } from './received-versions.ts';
import { topicName, topicNumber, topicsOf } from './topic-assignment.ts';
import { evenSpread, transportOf } from './transport-mix.ts';
import { dueMsOf, firstDueFrom, type UpdateSchedule } from './update-schedule.ts';

const NEW = 0; // has not connected yet
const OPENING = 1; // first connection attempt
const OPEN = 2;
const FAILED = 3; // the first connection attempt failed
const DISCONNECTED = 4; // was connected before
const REOPENING = 5; // reconnecting

const READ_BUFFER_BYTES = 64 * 1024;
const HANDSHAKE_TIMEOUT_MS = 30_000;
const RECONNECT_MS = 1000;
/** How often relays may redirect a client before one has to admit it, as in the library. */
const MAX_REDIRECTS = 3;

/** The clients of one process: their connections, the versions they received, and their counts. */
export class ClientPool implements ConnectionOwner {
  readonly #plan: ClientPlan;
  readonly #connections: (RawConnection | undefined)[];
  readonly #states: Uint8Array;
  readonly #startedMs: Float64Array;
  /** Whether a client has never been connected before. */
  readonly #isFirst: Uint8Array;
  /** How often the current attempt of a client was redirected. */
  readonly #redirects: Uint8Array;
  readonly #received: ReceivedVersions;
  readonly #current = new CurrentTimes();
  readonly #messages = new RelayMessageCache();
  readonly #handshake = createHandshake();
  readonly #readBuffer = Buffer.alloc(READ_BUFFER_BYTES);
  readonly #opening = new Set<number>();
  readonly #latency = new Latency();
  readonly #slowLatency = new Latency();
  readonly #handshakeLatency = new Latency();
  readonly #failed = createReasons();
  readonly #lost = createReasons();
  readonly #reconnectFailed = createReasons();
  #schedule: UpdateSchedule | undefined;
  #open = 0;
  #opened = 0;
  #redirected = 0;
  #handshakes = 0;
  #deliveries = 0;
  #duplicates = 0;
  #caughtUp = 0;

  constructor(plan: ClientPlan) {
    const { count, assignment } = plan;
    this.#plan = plan;
    this.#connections = new Array(count).fill(undefined);
    this.#states = new Uint8Array(count);
    this.#startedMs = new Float64Array(count);
    this.#isFirst = new Uint8Array(count);
    this.#redirects = new Uint8Array(count);
    this.#received = new ReceivedVersions({ assignment, clients: count, numberOf: (client) => this.#numberOf(client) });
  }

  /** The number of handshakes in progress. */
  get opening(): number {
    return this.#opening.size;
  }

  /** The due times of the updates, from which the latency of legacy clients is derived. */
  set schedule(schedule: UpdateSchedule) {
    this.#schedule = schedule;
  }

  isOpen(client: number): boolean {
    return this.#states[client] === OPEN;
  }

  isSlow(client: number): boolean {
    return evenSpread(this.#numberOf(client), 2) < this.#plan.slowShare;
  }

  connection(client: number): RawConnection | undefined {
    return this.#connections[client];
  }

  /** Connects a client, for the first time or again. */
  connect(client: number): void {
    this.#isFirst[client] = this.#states[client] === NEW ? 1 : 0;
    this.#redirects[client] = 0;
    this.#startedMs[client] = preciseNowMs();
    this.#connectToNextTarget(client);
  }

  #connectToNextTarget(client: number): void {
    const number = this.#numberOf(client);
    const { targets, sourceAddresses, assignment, token } = this.#plan;
    const redirects = this.#redirects[client] ?? 0;
    const target = targets[this.#relayOf(client)];
    if (!target) throw new TypeError('the plan has no target');
    this.#states[client] = this.#isFirst[client] ? OPENING : REOPENING;
    this.#opening.add(client);
    const topics = topicsOf(assignment, number).map((topic) => topicName(assignment, topic));
    this.#connections[client] = openConnection({
      client,
      owner: this,
      target,
      sourceAddress: sourceAddresses[client % sourceAddresses.length],
      readBuffer: this.#readBuffer,
      transport: this.#transportOf(client),
      topics,
      since: this.#received.since(client),
      token,
      tries: MAX_REDIRECTS - redirects,
      handshake: this.#handshake,
    });
  }

  /** Disconnects a client; it reconnects within a second. */
  churn(client: number): void {
    this.#connections[client]?.close();
    this.#clear(client);
    this.#reconnect(client, Math.random() * RECONNECT_MS);
  }

  /** Ends handshakes that have timed out. */
  sweep(): void {
    const oldest = preciseNowMs() - HANDSHAKE_TIMEOUT_MS;
    for (const client of this.#opening) {
      if ((this.#startedMs[client] ?? 0) < oldest) this.#connections[client]?.end('no response within 30 s');
    }
  }

  opened(client: number): void {
    this.#opening.delete(client);
    if (this.#isFirst[client]) this.#opened += 1;
    this.#states[client] = OPEN;
    this.#open += 1;
    this.#handshakes += 1;
    this.#handshakeLatency.record(preciseNowMs() - (this.#startedMs[client] ?? 0));
  }

  message(client: number, payload: Buffer): void {
    const message = this.#messages.read(payload);
    if (message.type === 'update') {
      const nowMs = preciseNowMs();
      if (this.#plan.mix['long-poll'] > 0 && this.#isFirstFetch(client, message.topic)) {
        this.#received.recordCurrent(client, message.topic, message.version, nowMs);
        return;
      }
      const before = this.#received.sequenceOf(client, message.topic);
      const kind = this.#received.recordUpdate(client, message, nowMs);
      if (kind === 'duplicate') this.#duplicates += 1;
      else if (kind === 'new') {
        this.#recordDelivery(client, message.stamp?.dueMs, nowMs);
        if (message.stamp) this.#recordCurrent(client, message.topic, { before, now: message.stamp.sequence, nowMs });
      }
    } else if (message.type === 'subscribed') {
      for (const [topic, version] of message.versions) {
        if (version !== null) this.#received.recordCurrent(client, topic, version, preciseNowMs());
      }
    } else if (message.type === 'error') this.#connections[client]?.end(`rejected: ${message.code}`);
  }

  /**
   * Attributes a signal of the legacy protocol to the next update of the client's topics. If a relay merges several
   * updates into one signal, later latencies are overestimated, never underestimated.
   */
  signalled(client: number): void {
    const nowMs = preciseNowMs();
    this.#received.recordSignal(client, nowMs);
    this.#deliveries += 1;
    if (!this.#schedule) return;
    const { assignment } = this.#plan;
    const own = topicsOf(assignment, this.#numberOf(client)).toSorted((a, b) => a - b);
    const subscription = { own, topics: assignment.topics };
    const next =
      this.#received.signalCount(client) ?? firstDueFrom(this.#schedule, subscription, this.#startedMs[client] ?? 0);
    const dueMs = dueMsOf(this.#schedule, subscription, next);
    const isDue = dueMs <= nowMs;
    this.#received.setSignalCount(client, isDue ? next + 1 : next);
    if (isDue) this.#recordLatency(client, nowMs - dueMs);
    else this.#caughtUp += 1; // an update from before the client connected
  }

  disconnected(client: number, reason: string, reconnectMs?: number): void {
    const state = this.#states[client];
    const reasons = state === OPENING ? this.#failed : state === REOPENING ? this.#reconnectFailed : this.#lost;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    this.#clear(client);
    if (state === OPENING) this.#states[client] = FAILED;
    else this.#reconnect(client, reconnectMs ?? RECONNECT_MS * (0.5 + Math.random()));
  }

  redirected(client: number): void {
    const redirects = (this.#redirects[client] ?? 0) + 1;
    if (redirects > MAX_REDIRECTS) {
      this.disconnected(client, 'redirected without tries left');
      return;
    }
    if (this.#states[client] === OPEN) {
      this.#open -= 1;
      this.#handshakes -= 1;
      if (this.#isFirst[client]) this.#opened -= 1;
    }
    this.#redirects[client] = redirects;
    this.#redirected += 1;
    this.#connectToNextTarget(client);
  }

  /** Counts the clients that had the last update of each of their topics at `atMs`. */
  check(last: LastUpdates, atMs: number): CheckResult {
    const { assignment } = this.#plan;
    const current = this.#current.times(last.updates, this.#missing(last.updates));
    const result = this.#received.check(last, atMs, (client) => {
      const state = this.#states[client];
      if (state !== OPEN && state !== DISCONNECTED && state !== REOPENING) return undefined;
      const transport = this.#transportOf(client);
      const topics = transport === 'long-poll' ? 1 : assignment.topicsPerClient;
      return { isLegacy: transport === 'legacy', isSlow: this.isSlow(client), topics };
    });
    return { ...result, current };
  }

  /** Returns the counts so far and the latencies since the last call. */
  figures(): Omit<Figures, 'utilization' | 'residentBytes' | 'cpuS'> {
    return {
      open: this.#open,
      opened: this.#opened,
      handshakes: this.#handshakes,
      failed: { ...this.#failed },
      lost: { ...this.#lost },
      reconnectFailed: { ...this.#reconnectFailed },
      redirected: this.#redirected,
      deliveries: this.#deliveries,
      skipped: this.#received.skipped,
      duplicates: this.#duplicates,
      caughtUp: this.#caughtUp,
      latency: this.#latency.take(),
      slowLatency: this.#slowLatency.take(),
      handshakeLatency: this.#handshakeLatency.take(),
    };
  }

  #numberOf(client: number): number {
    return this.#plan.first + client * this.#plan.step;
  }

  /** Returns the number of the address that a client connects to. */
  #relayOf(client: number): number {
    return (this.#numberOf(client) + (this.#redirects[client] ?? 0)) % this.#plan.targets.length;
  }

  #transportOf(client: number): TransportName {
    return transportOf(this.#numberOf(client), this.#plan.mix);
  }

  /** Tells whether a response is the first fetch of a long-poll client, which returns the current state. */
  #isFirstFetch(client: number, topic: string): boolean {
    return this.#transportOf(client) === 'long-poll' && !this.#received.has(client, topic);
  }

  /** Counts a delivery. Updates that were due before the client connected count as caught up and have no latency. */
  #recordDelivery(client: number, dueMs: number | undefined, nowMs: number): void {
    this.#deliveries += 1;
    if (dueMs === undefined) return;
    if (dueMs < (this.#startedMs[client] ?? 0)) this.#caughtUp += 1;
    else this.#recordLatency(client, nowMs - dueMs);
  }

  /** An update makes a client current on those before it that it did not receive, as far as it was connected when they were due. */
  #recordCurrent(client: number, topic: string, sequences: { before: number; now: number; nowMs: number }): void {
    const { assignment } = this.#plan;
    const number = topicNumber(assignment, topic);
    for (let sequence = sequences.now; sequence > sequences.before; sequence -= 1) {
      const update = (sequence - 1) * assignment.topics + number;
      const dueMs = this.#dueMs(update);
      if (dueMs === undefined || dueMs < (this.#startedMs[client] ?? 0)) break;
      this.#current.record(update, this.#relayOf(client), sequences.nowMs - dueMs);
    }
  }

  /** Counts the connected clients that lack each of the first updates, by its number and by relay. */
  #missing(updates: number): ReadonlyMap<number, readonly number[]> {
    const missing = new Map<number, number[]>();
    const { assignment } = this.#plan;
    for (let client = 0; client < this.#states.length; client += 1) {
      const transport = this.#transportOf(client);
      if (this.#states[client] !== OPEN || transport === 'legacy') continue;
      const topics = topicsOf(assignment, this.#numberOf(client)).slice(0, transport === 'long-poll' ? 1 : undefined);
      const relay = this.#relayOf(client);
      for (const topic of topics) {
        const has = this.#received.sequenceOf(client, topicName(assignment, topic));
        const last = topic + Math.floor((updates - 1 - topic) / assignment.topics) * assignment.topics;
        for (let update = last; update >= has * assignment.topics + topic; update -= assignment.topics) {
          if ((this.#dueMs(update) ?? 0) < (this.#startedMs[client] ?? 0)) break;
          const counts = missing.get(update) ?? new Array<number>(this.#plan.targets.length).fill(0);
          counts[relay] = (counts[relay] ?? 0) + 1;
          missing.set(update, counts);
        }
      }
    }
    return missing;
  }

  #dueMs(update: number): number | undefined {
    return this.#schedule && this.#schedule.startMs + update * this.#schedule.intervalMs;
  }

  #recordLatency(client: number, ms: number): void {
    const isSlow = this.#plan.slowShare > 0 && this.isSlow(client);
    (isSlow ? this.#slowLatency : this.#latency).record(ms);
  }

  #clear(client: number): void {
    if (this.#states[client] === OPEN) this.#open -= 1;
    this.#states[client] = DISCONNECTED;
    this.#opening.delete(client);
    this.#connections[client] = undefined;
    this.#received.disconnected(client);
  }

  #reconnect(client: number, delayMs: number): void {
    setTimeout(() => this.connect(client), delayMs).unref();
  }
}
