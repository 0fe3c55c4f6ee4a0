import type { CallCount, SpanKindName } from '../store/records.ts';
import { BUCKETS, bucketOf } from './call-histogram.ts';

/** The most kinds of calls that a process tells apart; the rest count as one. */
const MAX_KINDS = 200;
const REST = '(others)';

/** What is counted of calls of one kind. */
interface Count {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKindName;
  count: number;
  errors: number;
  sumMs: number;
  maxMs: number;
  readonly buckets: Uint32Array;
}

/** Counts the calls of a process minute by minute: all of them, also those that are no sample. */
export class CallCounts {
  readonly #nowMs: () => number;
  #minute = 0;
  #kinds = 0;
  /** By service, kind and name: this is looked up for everything that is done. */
  #counts = new Map<string, Map<string, Map<string, Count>>>();
  readonly #untold = new Map<number, string>();

  constructor(deps: { nowMs: () => number }) {
    this.#nowMs = deps.nowMs;
  }

  count(service: string, name: string, kind: SpanKindName, ms: number, failed: boolean): void {
    const minute = Math.floor(this.#nowMs() / 60_000);
    if (minute !== this.#minute) this.#begin(minute);
    const count = this.#counts.get(service)?.get(kind)?.get(name) ?? this.#add(service, name, kind);
    count.count += 1;
    count.sumMs += ms;
    if (failed) count.errors += 1;
    if (ms > count.maxMs) count.maxMs = ms;
    const bucket = bucketOf(ms);
    count.buckets[bucket] = (count.buckets[bucket] ?? 0) + 1;
  }

  /** What is to be told: this minute so far, and a minute that has ended since the last time, as JSON. */
  take(): ReadonlyMap<number, string> {
    const told = new Map(this.#untold);
    this.#untold.clear();
    if (this.#kinds > 0) told.set(this.#minute, this.#render());
    return told;
  }

  #begin(minute: number): void {
    if (this.#kinds > 0) this.#untold.set(this.#minute, this.#render());
    this.#minute = minute;
    this.#counts = new Map();
    this.#kinds = 0;
    // Where nobody takes what is to be told, the oldest is forgotten.
    for (const old of this.#untold.keys()) if (old < minute - 2) this.#untold.delete(old);
  }

  #add(service: string, name: string, kind: SpanKindName): Count {
    if (this.#kinds >= MAX_KINDS && name !== REST) {
      return this.#counts.get(service)?.get(kind)?.get(REST) ?? this.#add(service, REST, kind);
    }
    const kinds = this.#counts.get(service) ?? new Map<string, Map<string, Count>>();
    this.#counts.set(service, kinds);
    const names = kinds.get(kind) ?? new Map<string, Count>();
    kinds.set(kind, names);
    const buckets = new Uint32Array(BUCKETS);
    const count: Count = { service, name, kind, count: 0, errors: 0, sumMs: 0, maxMs: 0, buckets };
    names.set(name, count);
    this.#kinds += 1;
    return count;
  }

  #render(): string {
    const counts = [...this.#counts.values()]
      .flatMap((kinds) => [...kinds.values()])
      .flatMap((names) => [...names.values()]);
    const calls: CallCount[] = counts.map(({ buckets, ...count }) => ({
      ...count,
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
