import type { CallCount, SpanKindName } from '../store/records.ts';
import { BUCKETS, bucketOf } from './call-histogram.ts';

/** Most kinds of calls that are counted separately per process and minute; the rest counts as one kind. */
const MAX_KINDS = 200;
const OTHERS = '(others)';
/** Most refusals that are counted by their code for each kind of calls; codes come from a fixed catalogue. */
const MAX_REFUSALS = 50;

/** Counts of one kind of calls, within a minute. */
interface Count {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKindName;
  count: number;
  errors: number;
  sumMs: number;
  maxMs: number;
  readonly refusals: Map<string, number>;
  readonly buckets: Uint32Array;
}

/** Counts the calls of a process by minute, sampled or not. */
export class CallCounts {
  readonly #nowMs: () => number;
  #minute = 0;
  #kinds = 0;
  /** By service, kind and name; nested maps, since this is looked up for every call. */
  #counts = new Map<string, Map<string, Map<string, Count>>>();
  readonly #finished = new Map<number, string>();

  constructor(deps: { nowMs: () => number }) {
    this.#nowMs = deps.nowMs;
  }

  /**
   * Counts a call.
   *
   * @param ms its duration in milliseconds
   * @param refusal status and error code of a refused call; empty for any other
   */
  count(service: string, name: string, kind: SpanKindName, ms: number, failed: boolean, refusal = ''): void {
    const minute = Math.floor(this.#nowMs() / 60_000);
    if (minute !== this.#minute) this.#begin(minute);
    const count = this.#counts.get(service)?.get(kind)?.get(name) ?? this.#add(service, name, kind);
    count.count += 1;
    count.sumMs += ms;
    if (failed) count.errors += 1;
    if (refusal !== '' && (count.refusals.has(refusal) || count.refusals.size < MAX_REFUSALS)) {
      count.refusals.set(refusal, (count.refusals.get(refusal) ?? 0) + 1);
    }
    if (ms > count.maxMs) count.maxMs = ms;
    const bucket = bucketOf(ms);
    count.buckets[bucket] = (count.buckets[bucket] ?? 0) + 1;
  }

  /** Returns the counts of the current minute so far, and of each minute that ended since the last call, as JSON. */
  take(): ReadonlyMap<number, string> {
    const taken = new Map(this.#finished);
    this.#finished.clear();
    if (this.#kinds > 0) taken.set(this.#minute, this.#render());
    return taken;
  }

  #begin(minute: number): void {
    if (this.#kinds > 0) this.#finished.set(this.#minute, this.#render());
    this.#minute = minute;
    this.#counts = new Map();
    this.#kinds = 0;
    // Bounded if `take` is not called.
    for (const old of this.#finished.keys()) if (old < minute - 2) this.#finished.delete(old);
  }

  #add(service: string, name: string, kind: SpanKindName): Count {
    if (this.#kinds >= MAX_KINDS && name !== OTHERS) {
      return this.#counts.get(service)?.get(kind)?.get(OTHERS) ?? this.#add(service, OTHERS, kind);
    }
    const kinds = this.#counts.get(service) ?? new Map<string, Map<string, Count>>();
    this.#counts.set(service, kinds);
    const names = kinds.get(kind) ?? new Map<string, Count>();
    kinds.set(kind, names);
    const buckets = new Uint32Array(BUCKETS);
    const zero = { count: 0, errors: 0, sumMs: 0, maxMs: 0, refusals: new Map() };
    const count: Count = { service, name, kind, ...zero, buckets };
    names.set(name, count);
    this.#kinds += 1;
    return count;
  }

  #render(): string {
    const counts = [...this.#counts.values()]
      .flatMap((kinds) => [...kinds.values()])
      .flatMap((names) => [...names.values()]);
    const calls: CallCount[] = counts.map(({ buckets, refusals, ...count }) => ({
      ...count,
      refusals: Object.fromEntries(refusals),
      sumMs: round(count.sumMs),
      maxMs: round(count.maxMs),
      buckets: Object.fromEntries([...buckets.entries()].filter(([, found]) => found > 0)),
    }));
    return JSON.stringify(calls);
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
