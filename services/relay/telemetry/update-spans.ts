import { type Context, ROOT_CONTEXT, SpanKind, TraceFlags, type Tracer, trace } from '@opentelemetry/api';
import type { Clock } from '../../shared/clock.ts';
import { type BulkStats, KEPT } from '../../shared/trace/service-stats.ts';
import { parseTraceparent } from '../../shared/trace/traceparent.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import type { TransportDelivery } from '../relay-fanout.ts';

/** Limit of each kind of updates in memory: pending, sent late, and delivered but not recorded. */
const MAX_UPDATES = 500;
const NONE: readonly TransportDelivery[] = [];

/** Clients that catch up within this time are recorded as one span. */
const LATE_WINDOW_MS = 1000;

/** The way of an update through this relay. All times are by the monotonic clock. */
interface Passage {
  readonly topic: Topic;
  readonly version: Version;
  readonly traceparent: string;
  /** When the digest that brought it was requested; undefined if a signal did. */
  readonly digestRequestedAtMs: number | undefined;
  readonly receivedAtMs: number;
  deliveries: readonly TransportDelivery[];
  conflated: boolean;
  endedAtMs: number;
}

/** Clients that were behind when an update was delivered, and got it later. */
interface LateClients {
  readonly update: Update;
  readonly beganAtMs: number;
  endedAtMs: number;
  clients: number;
}

/**
 * Records the way of updates through a relay as spans: of updates in a sampled trace, of the slowest, and of those that
 * another service finds slow. All others are only timed. Never records single clients.
 */
export class UpdateSpans {
  readonly #tracer: Tracer;
  readonly #stats: BulkStats;
  readonly #clock: Clock;
  readonly #pending = new Map<Topic, Passage>();
  readonly #late = new Map<string, LateClients>();
  /** Delivered and not recorded, in case another service wants their traces. */
  #unrecorded: Passage[] = [];

  constructor(deps: { tracer: Tracer; stats: BulkStats; clock: Clock }) {
    this.#tracer = deps.tracer;
    this.#stats = deps.stats;
    this.#clock = deps.clock;
    deps.stats.onTraceKept((traceId) => this.#recordTrace(traceId));
  }

  /** Begins the passage of an update; it replaces a pending one of the same topic. */
  received(update: Update, digestRequestedAtMs?: number): void {
    const { topic, version, traceparent } = update;
    if (traceparent === undefined) return;
    const receivedAtMs = this.#clock.monotonicMs();
    const replaced = this.#pending.get(topic);
    if (replaced && replaced.version >= version) return;
    if (replaced) {
      replaced.conflated = true;
      replaced.endedAtMs = receivedAtMs;
      this.#end(replaced);
    }
    this.#pending.set(topic, {
      topic,
      version,
      traceparent,
      digestRequestedAtMs,
      receivedAtMs,
      deliveries: NONE,
      conflated: false,
      endedAtMs: receivedAtMs,
    });
    if (this.#pending.size > MAX_UPDATES) this.#pending.delete(first(this.#pending.keys()));
  }

  /** Ends the passage of an update that was delivered, one transport after the other. */
  delivered(update: Update, deliveries: readonly TransportDelivery[]): void {
    const endedAtMs = this.#clock.monotonicMs();
    for (const { transport, beganAtMs, endedAtMs } of deliveries) {
      this.#stats.count(`deliver, ${transport}`, endedAtMs - beganAtMs);
    }
    const passage = this.#pending.get(update.topic);
    if (!passage || passage.version !== update.version) return;
    this.#pending.delete(update.topic);
    passage.deliveries = deliveries;
    passage.endedAtMs = endedAtMs;
    this.#end(passage);
  }

  /** An update was sent to a client that was behind. */
  sentLate(update: Update): void {
    if (update.traceparent === undefined || !isSampled(update.traceparent)) return;
    const now = this.#clock.monotonicMs();
    const key = `${update.traceparent} ${update.topic}`;
    const known = this.#late.get(key);
    if (known) {
      known.clients += 1;
      known.endedAtMs = now;
      return;
    }
    if (this.#late.size >= MAX_UPDATES) return;
    this.#late.set(key, { update, beganAtMs: now, endedAtMs: now, clients: 1 });
    this.#clock.after(LATE_WINDOW_MS, () => {
      const late = this.#late.get(key);
      this.#late.delete(key);
      if (late) this.#recordLate(late);
    });
  }

  #end(passage: Passage): void {
    const ms = passage.endedAtMs - (passage.digestRequestedAtMs ?? passage.receivedAtMs);
    const sinceVersionMs = this.#clock.nowMs() - passage.version / 1000;
    this.#stats.count('deliver', ms);
    if (isSampled(passage.traceparent)) this.#record(passage, '');
    else if (this.#stats.isSlow('deliver', sinceVersionMs)) this.#record(passage, 'slow');
    else this.#unrecorded.push(passage);
    if (this.#unrecorded.length >= MAX_UPDATES) this.#unrecorded = this.#unrecorded.slice(MAX_UPDATES / 2);
  }

  #recordTrace(traceId: string): void {
    const wanted = this.#unrecorded.filter(({ traceparent }) => traceparent.includes(traceId));
    if (wanted.length === 0) return;
    this.#unrecorded = this.#unrecorded.filter((passage) => !wanted.includes(passage));
    for (const passage of wanted) this.#record(passage, 'wanted');
  }

  #record(passage: Passage, kept: string): void {
    const { topic, version, digestRequestedAtMs, receivedAtMs, endedAtMs, deliveries, conflated } = passage;
    const clients = deliveries.reduce((sum, delivery) => sum + delivery.clients, 0);
    const by = digestRequestedAtMs === undefined ? 'signal' : 'repair';
    const attributes = {
      topic,
      version,
      by,
      ...(conflated ? { conflated } : { clients }),
      ...(kept && { [KEPT]: kept }),
    };
    const deliver = this.#tracer.startSpan(
      'deliver',
      { kind: SpanKind.CONSUMER, attributes, startTime: digestRequestedAtMs ?? receivedAtMs },
      contextOf(passage.traceparent),
    );
    if (!deliver.isRecording()) return; // too many at a time
    const within = trace.setSpan(ROOT_CONTEXT, deliver);
    const part = (name: string, beganAtMs: number, endedAtMs: number, options = {}) =>
      this.#tracer.startSpan(name, { ...options, startTime: beganAtMs }, within).end(endedAtMs);
    if (digestRequestedAtMs !== undefined) part('repair', digestRequestedAtMs, receivedAtMs);
    // Until the end of the turn, in which more updates may have been merged.
    part('merge', receivedAtMs, deliveries[0]?.beganAtMs ?? endedAtMs);
    for (const { transport, clients, beganAtMs, endedAtMs } of deliveries) {
      part(`deliver, ${transport}`, beganAtMs, endedAtMs, { attributes: { clients } });
    }
    deliver.end(endedAtMs);
  }

  #recordLate({ update, beganAtMs, endedAtMs, clients }: LateClients): void {
    const { topic, version, traceparent } = update;
    const options = { attributes: { topic, version, clients }, startTime: beganAtMs };
    this.#tracer.startSpan('catch up', options, contextOf(traceparent)).end(endedAtMs);
  }
}

/** Whether the trace is sampled, by the last digit of its flags: cheap, since it is checked for every update. */
function isSampled(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(-1), 16) & TraceFlags.SAMPLED) !== 0;
}

function contextOf(traceparent: string | undefined): Context {
  const parent = parseTraceparent(traceparent);
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

/** @throws {TypeError} if there is no item */
function first<T>(items: Iterable<T>): T {
  for (const item of items) return item;
  throw new TypeError('no item');
}
