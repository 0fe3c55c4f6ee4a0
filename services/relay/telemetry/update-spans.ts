import { type Context, ROOT_CONTEXT, SpanKind, TraceFlags, type Tracer, trace } from '@opentelemetry/api';
import type { Clock } from '../../shared/clock.ts';
import { type BulkStats, KEPT } from '../../shared/trace/service-stats.ts';
import { parseTraceparent } from '../../shared/trace/traceparent.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import type { TransportDelivery } from '../create-transports.ts';

/** Updates that wait to be told, late ones that are counted, and told ones that may be asked for: each at most so many. */
const MAX_NOTES = 500;
const NONE: readonly TransportDelivery[] = [];

/** For so long clients that catch up count as one span. */
const LATE_WINDOW_MS = 1000;

/** An update on its way through this relay. All times are of the clock that never steps. */
interface Passage {
  readonly topic: Topic;
  readonly version: Version;
  readonly traceparent: string;
  /** When the digest that brought it was asked for; undefined where a signal did. */
  readonly digestAskedAtMs: number | undefined;
  readonly receivedAtMs: number;
  handOvers: readonly TransportDelivery[];
  conflated: boolean;
  endedAtMs: number;
}

/** Clients that were told of an update only once they had room for it. */
interface LateClients {
  readonly update: Update;
  readonly beganAtMs: number;
  endedAtMs: number;
  clients: number;
}

/**
 * Records the way of updates through a relay: of those whose publisher's trace is a sample, of the slowest, and of
 * those that turn out to be slow elsewhere. Of all others it only takes the time. Never records single clients.
 */
export class UpdateSpans {
  readonly #tracer: Tracer;
  readonly #stats: BulkStats;
  readonly #clock: Clock;
  readonly #underWay = new Map<Topic, Passage>();
  readonly #late = new Map<string, LateClients>();
  #passed: Passage[] = [];

  constructor(deps: { tracer: Tracer; stats: BulkStats; clock: Clock }) {
    this.#tracer = deps.tracer;
    this.#stats = deps.stats;
    this.#clock = deps.clock;
    deps.stats.onTraceKept((traceId) => this.#recordWanted(traceId));
  }

  /** An update has arrived. One that waits for the end of the turn is replaced by it. */
  received(update: Update, digestAskedAtMs?: number): void {
    const { topic, version, traceparent } = update;
    if (traceparent === undefined) return;
    const receivedAtMs = this.#clock.monotonicMs();
    const replaced = this.#underWay.get(topic);
    if (replaced && replaced.version >= version) return;
    if (replaced) {
      replaced.conflated = true;
      replaced.endedAtMs = receivedAtMs;
      this.#ended(replaced);
    }
    this.#underWay.set(topic, {
      topic,
      version,
      traceparent,
      digestAskedAtMs,
      receivedAtMs,
      handOvers: NONE,
      conflated: false,
      endedAtMs: receivedAtMs,
    });
    if (this.#underWay.size > MAX_NOTES) this.#underWay.delete(first(this.#underWay.keys()));
  }

  /** An update was handed over to those who listen, one transport after the other. */
  delivered(update: Update, handOvers: readonly TransportDelivery[]): void {
    const endedAtMs = this.#clock.monotonicMs();
    for (const { transport, beganAtMs, endedAtMs } of handOvers) {
      this.#stats.count(`hand over, ${transport}`, endedAtMs - beganAtMs);
    }
    const passage = this.#underWay.get(update.topic);
    if (!passage || passage.version !== update.version) return;
    this.#underWay.delete(update.topic);
    passage.handOvers = handOvers;
    passage.endedAtMs = endedAtMs;
    this.#ended(passage);
  }

  /** A client that was behind is told now. */
  sentLate(update: Update): void {
    if (update.traceparent === undefined || !isSample(update.traceparent)) return;
    const now = this.#clock.monotonicMs();
    const key = `${update.traceparent} ${update.topic}`;
    const known = this.#late.get(key);
    if (known) {
      known.clients += 1;
      known.endedAtMs = now;
      return;
    }
    if (this.#late.size >= MAX_NOTES) return;
    this.#late.set(key, { update, beganAtMs: now, endedAtMs: now, clients: 1 });
    this.#clock.after(LATE_WINDOW_MS, () => {
      const late = this.#late.get(key);
      this.#late.delete(key);
      if (late) this.#recordLate(late);
    });
  }

  #ended(passage: Passage): void {
    const ms = passage.endedAtMs - (passage.digestAskedAtMs ?? passage.receivedAtMs);
    const sinceVersionMs = this.#clock.nowMs() - passage.version / 1000;
    this.#stats.count('deliver', ms);
    if (isSample(passage.traceparent)) this.#record(passage, '');
    else if (this.#stats.isSlow('deliver', sinceVersionMs)) this.#record(passage, 'slow');
    else this.#passed.push(passage);
    if (this.#passed.length >= MAX_NOTES) this.#passed = this.#passed.slice(MAX_NOTES / 2);
  }

  #recordWanted(traceId: string): void {
    const wanted = this.#passed.filter(({ traceparent }) => traceparent.includes(traceId));
    if (wanted.length === 0) return;
    this.#passed = this.#passed.filter((passage) => !wanted.includes(passage));
    for (const passage of wanted) this.#record(passage, 'wanted');
  }

  #record(passage: Passage, kept: string): void {
    const { topic, version, digestAskedAtMs, receivedAtMs, endedAtMs, handOvers, conflated } = passage;
    const clients = handOvers.reduce((sum, handOver) => sum + handOver.clients, 0);
    const by = digestAskedAtMs === undefined ? 'signal' : 'repair';
    const attributes = {
      topic,
      version,
      by,
      ...(conflated ? { conflated } : { clients }),
      ...(kept && { [KEPT]: kept }),
    };
    const beganAtMs = digestAskedAtMs ?? receivedAtMs;
    const deliver = this.#tracer.startSpan(
      'deliver',
      { kind: SpanKind.CONSUMER, attributes, startTime: beganAtMs },
      contextOf(passage.traceparent),
    );
    if (!deliver.isRecording()) return; // too many at a time
    const within = trace.setSpan(ROOT_CONTEXT, deliver);
    const part = (name: string, beganAtMs: number, endedAtMs: number, options = {}) =>
      this.#tracer.startSpan(name, { ...options, startTime: beganAtMs }, within).end(endedAtMs);
    if (digestAskedAtMs !== undefined) part('repair', digestAskedAtMs, receivedAtMs);
    // What arrives in one turn is merged, and told at its end.
    part('merge', receivedAtMs, handOvers[0]?.beganAtMs ?? endedAtMs);
    for (const { transport, clients, beganAtMs, endedAtMs } of handOvers) {
      if (clients > 0) part(`hand over, ${transport}`, beganAtMs, endedAtMs, { attributes: { clients } });
    }
    deliver.end(endedAtMs);
  }

  #recordLate({ update, beganAtMs, endedAtMs, clients }: LateClients): void {
    const { topic, version, traceparent } = update;
    const options = { attributes: { topic, version, clients }, startTime: beganAtMs };
    this.#tracer.startSpan('catch up', options, contextOf(traceparent)).end(endedAtMs);
  }
}

/** Whether the last flag is set, as far as its end tells: this is asked of every update. */
function isSample(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(-1), 16) & TraceFlags.SAMPLED) !== 0;
}

function contextOf(traceparent: string | undefined): Context {
  const parent = parseTraceparent(traceparent);
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

function first<T>(items: Iterable<T>): T {
  for (const item of items) return item;
  throw new TypeError('there is nothing in it');
}
