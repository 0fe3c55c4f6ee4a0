import { Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { FlushPosition } from '../hub/flushes.ts';
import type { Delivery } from '../hub/hub.ts';
import type { BufferedClient } from '../session/session-ports.ts';
import { LATENCY_BUCKETS_S } from './delivery-metrics.ts';

/** The shares of an update's subscribers for which is measured when they are current. */
const SHARES = [0.5, 0.95, 0.99, 1];

/** An update is counted as it stands after this time. */
const MAX_AGE_MS = 60_000;
/** If more updates are open than this, the oldest are counted as they stand. */
const MAX_OPEN = 10_000;
/** The buffers of all clients are examined within this time while updates are open, in steps. */
const SCAN_MS = 5000;
const STEP_MS = 100;
const MIN_STEP_CLIENTS = 200;
/** Bytes of a frame beside topic and data: rough, because it only tells which updates wait in a buffer. */
const FRAME_BYTES = 60;

/** All clients of a relay. */
export interface BufferedClients extends Iterable<BufferedClient> {
  readonly size: number;
}

/** A delivered update that is not counted yet. Times are by the monotonic clock. */
interface OpenUpdate {
  readonly topic: Topic;
  readonly flush: FlushPosition;
  readonly clients: number;
  readonly paced: boolean;
  readonly frameBytes: number;
  readonly publishedAtMs: number;
  readonly beganAtMs: number;
  /** When the frames of all clients with an empty buffer were written; undefined until then. */
  writtenAtMs: number | undefined;
  /** When each client that was late became current. */
  readonly lateAtMs: number[];
  /** Number of clients that left before they were current. */
  left: number;
}

/** What a client waits for. */
interface Waiting {
  /** It waits for the updates from this position on. */
  since: FlushPosition;
  /** Its buffer holds all updates after this position in the order of their delivery; Infinity while the client is behind. */
  inOrderAfter: FlushPosition;
}

/**
 * Measures for each update how long it takes until shares of its connected subscribers are current: until its frame, or
 * that of a newer update of the topic, has left the client's buffer in this process. Clients with an empty buffer are
 * counted in one step, the others are tracked. uWebSockets.js does not tell when a buffer begins to fill, so that
 * buffers are examined from time to time, and an update is counted when all have been examined after its delivery.
 */
export class CurrentSharesMetrics {
  readonly #clock: Clock;
  readonly #seconds: Histogram;
  #clients: BufferedClients = new Set<BufferedClient>();
  /** In the order of delivery; the last `unwritten` of them were delivered in this turn. */
  readonly #open: OpenUpdate[] = [];
  #unwritten = 0;
  readonly #openByTopic = new Map<Topic, OpenUpdate[]>();
  readonly #waiting = new Map<BufferedClient, Waiting>();
  /** Up to which position clients that were late are current, as long as updates before it are open. */
  readonly #currentTo = new Map<BufferedClient, FlushPosition>();
  #last: FlushPosition = 0;
  #scan: Iterator<BufferedClient> | undefined;
  #scannedTo: FlushPosition = 0;
  #isScanning = false;

  constructor(deps: { registry: Registry; clock: Clock }) {
    this.#clock = deps.clock;
    this.#seconds = new Histogram({
      name: 'relay_subscribers_current_seconds',
      help: 'Time from the version of an update until this share of its connected subscribers is current. Panel "Subscribers current"; alerts HeliographSubscribersLate, HeliographSubscribersLateOften',
      labelNames: ['share'],
      buckets: [...LATENCY_BUCKETS_S, 30],
      registers: [deps.registry],
    });
    // A rate needs a series that exists before it rises.
    for (const share of SHARES) this.#seconds.zero({ share });
  }

  /** Sets the clients whose buffers are examined. */
  observe(clients: BufferedClients): void {
    this.#clients = clients;
  }

  delivered({ update, flush, clients, paced, publishedAtMs, beganAtMs }: Delivery): void {
    if (clients === 0 || publishedAtMs === undefined) return;
    const { topic, data } = update;
    const open: OpenUpdate = {
      topic,
      flush,
      clients,
      paced,
      frameBytes: FRAME_BYTES + topic.length + (data?.length ?? 0),
      publishedAtMs,
      beganAtMs,
      writtenAtMs: undefined,
      lateAtMs: [],
      left: 0,
    };
    this.#last = flush;
    this.#open.push(open);
    const ofTopic = this.#openByTopic.get(topic);
    if (ofTopic) ofTopic.push(open);
    else this.#openByTopic.set(topic, [open]);
    // uWebSockets.js writes after this turn.
    if (this.#unwritten === 0) this.#clock.atTurnEnd(() => this.#written());
    this.#unwritten += 1;
    if (!this.#isScanning) this.#scanLater();
  }

  /** A client misses updates from `since` on. */
  fellBehind(client: BufferedClient, since: FlushPosition): void {
    const buffered = this.#firstIn(client, client.bufferedBytes) ?? since;
    this.#wait(client, Math.min(since, buffered), Number.POSITIVE_INFINITY);
  }

  /** A client was sent what it missed; some of it may wait in its buffer. */
  caughtUp(client: BufferedClient): void {
    const waiting = this.#waiting.get(client);
    if (waiting) waiting.inOrderAfter = this.#last;
  }

  /** A client that is not behind has read some of its buffer. */
  bufferDrained(client: BufferedClient): void {
    const bytes = client.bufferedBytes;
    // That its buffer was filled is not known yet: it had at least the last update in it.
    if (!this.#waiting.has(client)) this.#wait(client, this.#firstIn(client, bytes + 1), 0);
    this.#check(client, bytes);
  }

  /** A client is gone. */
  ended(client: BufferedClient): void {
    for (const update of this.#missing(client, Number.POSITIVE_INFINITY)) update.left += 1;
    this.#waiting.delete(client);
    this.#currentTo.delete(client);
  }

  #wait(client: BufferedClient, since: FlushPosition | undefined, inOrderAfter: FlushPosition): void {
    if (since === undefined) return;
    const first = Math.max(since, client.subscribedFrom, (this.#currentTo.get(client) ?? -1) + 1);
    const waiting = this.#waiting.get(client);
    if (waiting) waiting.inOrderAfter = inOrderAfter;
    else this.#waiting.set(client, { since: first, inOrderAfter });
  }

  /** Notes what has left the buffer of a client. */
  #check(client: BufferedClient, bytes: number): void {
    const waiting = this.#waiting.get(client);
    if (!waiting || waiting.inOrderAfter === Number.POSITIVE_INFINITY) return;
    const first = bytes === 0 ? this.#last + 1 : this.#firstIn(client, bytes);
    if (first === undefined || first <= waiting.inOrderAfter || first <= waiting.since) return;
    const nowMs = this.#clock.monotonicMs();
    for (const update of this.#missing(client, first)) update.lateAtMs.push(nowMs);
    this.#currentTo.set(client, first - 1);
    if (bytes === 0) this.#waiting.delete(client);
    else waiting.since = first;
  }

  /** Iterates over the open updates that a client waits for, before a position. */
  *#missing(client: BufferedClient, before: FlushPosition): Iterable<OpenUpdate> {
    const waiting = this.#waiting.get(client);
    if (!waiting) return;
    for (const topic of client.topics) {
      const ofTopic = this.#openByTopic.get(topic) ?? [];
      for (let i = ofTopic.length - 1; i >= 0; i -= 1) {
        const update = ofTopic[i];
        if (!update || update.flush < waiting.since) break;
        if (update.flush < before && !(update.paced && !client.supportsSpread)) yield update;
      }
    }
  }

  /** Returns the first open update in a buffer with this number of bytes; undefined if there is none. */
  #firstIn(client: BufferedClient, bytes: number): FlushPosition | undefined {
    const tails = Array.from(client.topics, (topic) => {
      const updates = this.#openByTopic.get(topic) ?? [];
      return { updates, left: updates.length };
    });
    let first: FlushPosition | undefined;
    for (let leftBytes = bytes; leftBytes > 0; ) {
      let newest: OpenUpdate | undefined;
      let from: { left: number } | undefined;
      for (const tail of tails) {
        const update = tail.updates[tail.left - 1];
        if (!update || (newest && newest.flush > update.flush)) continue;
        newest = update;
        from = tail;
      }
      if (!newest || !from) break;
      from.left -= 1;
      leftBytes -= newest.frameBytes;
      first = newest.flush;
    }
    return first;
  }

  #written(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const update of this.#open.slice(-this.#unwritten)) update.writtenAtMs = nowMs;
    this.#unwritten = 0;
    if (this.#open.length > MAX_OPEN) this.#count(this.#open.length - MAX_OPEN);
  }

  #scanLater(): void {
    this.#isScanning = this.#open.length > 0;
    if (this.#isScanning) this.#clock.after(STEP_MS, () => this.#scanStep());
  }

  #scanStep(): void {
    if (!this.#scan) {
      this.#scan = this.#clients[Symbol.iterator]();
      this.#scannedTo = this.#last;
    }
    const clients = Math.max(MIN_STEP_CLIENTS, (this.#clients.size * STEP_MS) / SCAN_MS);
    for (let i = 0; i < clients; i += 1) {
      const next = this.#scan.next();
      if (next.done) {
        this.#scan = undefined;
        this.#countScanned();
        break;
      }
      this.#examine(next.value);
    }
    this.#scanLater();
  }

  #examine(client: BufferedClient): void {
    const bytes = client.bufferedBytes;
    if (bytes > 0 && !this.#waiting.has(client)) this.#wait(client, this.#firstIn(client, bytes), 0);
    else this.#check(client, bytes);
  }

  /** Counts the updates that no client waits for, and those that are too old. */
  #countScanned(): void {
    let before = this.#scannedTo + 1;
    for (const { since } of this.#waiting.values()) before = Math.min(before, since);
    const oldestMs = this.#clock.monotonicMs() - MAX_AGE_MS;
    const isOpen = ({ flush, beganAtMs, writtenAtMs }: OpenUpdate) =>
      writtenAtMs === undefined || (flush >= before && beganAtMs > oldestMs);
    const first = this.#open.findIndex(isOpen);
    this.#count(first === -1 ? this.#open.length : first);
    const oldest = this.#open[0]?.flush ?? Number.POSITIVE_INFINITY;
    for (const [client, position] of this.#currentTo) if (position < oldest) this.#currentTo.delete(client);
  }

  /** Counts this number of the oldest updates. Clients that still wait for them count as current now. */
  #count(updates: number): void {
    const counted = this.#open.splice(0, updates);
    const last = counted.at(-1)?.flush ?? 0;
    const nowMs = this.#clock.monotonicMs();
    for (const [client, waiting] of this.#waiting) {
      if (waiting.since > last) continue;
      for (const update of this.#missing(client, last + 1)) update.lateAtMs.push(nowMs);
      waiting.since = last + 1;
    }
    for (const update of counted) {
      const ofTopic = this.#openByTopic.get(update.topic);
      ofTopic?.shift();
      if (ofTopic?.length === 0) this.#openByTopic.delete(update.topic);
      this.#observe(update);
    }
  }

  #observe({ clients, left, lateAtMs, publishedAtMs, beganAtMs, writtenAtMs = beganAtMs }: OpenUpdate): void {
    const subscribers = clients - left;
    if (subscribers <= 0) return;
    const punctual = Math.max(0, subscribers - lateAtMs.length);
    lateAtMs.sort((a, b) => a - b);
    for (const share of SHARES) {
      const needed = Math.ceil(share * subscribers);
      // A fan-out writes to one client after the other.
      const atMs =
        needed <= punctual
          ? beganAtMs + ((writtenAtMs - beganAtMs) * needed) / punctual
          : (lateAtMs[needed - punctual - 1] ?? writtenAtMs);
      this.#seconds.observe({ share }, Math.max(0, atMs - publishedAtMs) / 1000);
    }
  }
}
