import { Latency } from './latency.ts';

/** The shares of an update's subscribers for which is measured when they are current, as relays do. */
export const SHARES = [0.5, 0.95, 0.99, 1] as const;

/** Each bucket of times is this much longer than the one before. */
const PRECISION = 1.01;
const SHORTEST_MS = 0.01;
/** Updates after this number are left out, to limit the memory. */
const MAX_UPDATES = 10_000;

/** When the subscribers of one update that one process holds were current. */
export interface UpdateTimes {
  /** The number of the update, from 0. */
  readonly update: number;
  /** Buckets of the time since the update was due, and the clients in each. */
  readonly buckets: readonly (readonly [bucket: number, clients: number])[];
  /** Connected clients that do not have it yet. */
  readonly missing: number;
}

/** When the version of an update was assigned, from its due time on, in milliseconds. */
export type AssignedAfterMs = (update: number) => number | undefined;

/** The times until a share of the subscribers was current, over all updates. */
export interface CurrentWithin {
  readonly share: number;
  /** Updates with a subscriber. */
  readonly updates: number;
  /** Updates that the share of their subscribers never had. */
  readonly never: number;
  /** Of the other updates. */
  readonly meanMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The mean that the relays measured, from the inside; undefined without their metrics. */
  readonly relaysMeanMs: number | undefined;
}

/** Collects when the clients of a process became current on each update. */
export class CurrentTimes {
  readonly #updates = new Map<number, Map<number, number>>();

  /** @param ms since the update was due */
  record(update: number, ms: number): void {
    if (update >= MAX_UPDATES) return;
    let buckets = this.#updates.get(update);
    if (!buckets) {
      buckets = new Map();
      this.#updates.set(update, buckets);
    }
    const bucket = Math.round(Math.log(Math.max(SHORTEST_MS, ms)) / Math.log(PRECISION));
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }

  /**
   * @param updates number of updates that were due
   * @param missing number of connected clients that lack an update, by its number
   */
  times(updates: number, missing: ReadonlyMap<number, number>): readonly UpdateTimes[] {
    return Array.from({ length: Math.min(updates, MAX_UPDATES) }, (_, update) => ({
      update,
      buckets: [...(this.#updates.get(update) ?? [])],
      missing: missing.get(update) ?? 0,
    }));
  }
}

/** Merges the times of all processes. Updates whose version is not known are left out. */
export function currentWithin(deps: {
  times: readonly UpdateTimes[];
  assignedAfterMs: AssignedAfterMs;
  relaysMeanMs: (share: number) => number | undefined;
}): readonly CurrentWithin[] {
  const { times, assignedAfterMs, relaysMeanMs } = deps;
  const byUpdate = new Map<number, UpdateTimes[]>();
  for (const part of times) {
    const parts = byUpdate.get(part.update);
    if (parts) parts.push(part);
    else byUpdate.set(part.update, [part]);
  }
  return SHARES.map((share) => {
    const latency = new Latency();
    let [updates, never, sumMs] = [0, 0, 0];
    for (const [update, parts] of byUpdate) {
      const afterMs = assignedAfterMs(update);
      const clients = clientsIn(parts);
      if (afterMs === undefined || clients === 0) continue;
      updates += 1;
      const bucket = bucketOf(parts, Math.ceil(share * clients));
      if (bucket === undefined) {
        never += 1;
        continue;
      }
      const ms = Math.max(0, PRECISION ** bucket - afterMs);
      sumMs += ms;
      latency.record(ms);
    }
    const [p50, p99, max] =
      latency.count === 0 ? [0, 0, 0] : [latency.quantile(0.5), latency.quantile(0.99), latency.maxMs];
    const meanMs = latency.count === 0 ? 0 : sumMs / latency.count;
    return { share, updates, never, meanMs, p50, p99, max, relaysMeanMs: relaysMeanMs(share) };
  }).filter(({ updates }) => updates > 0);
}

function clientsIn(parts: readonly UpdateTimes[]): number {
  return parts.reduce(
    (sum, { buckets, missing }) => sum + missing + buckets.reduce((total, [, clients]) => total + clients, 0),
    0,
  );
}

/** Returns the bucket of the client that was the nth to be current; undefined if there is none. */
function bucketOf(parts: readonly UpdateTimes[], nth: number): number | undefined {
  const buckets = parts.flatMap((part) => part.buckets).sort(([a], [b]) => a - b);
  let left = nth;
  for (const [bucket, clients] of buckets) {
    left -= clients;
    if (left <= 0) return bucket;
  }
  return undefined;
}
