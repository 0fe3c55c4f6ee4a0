import { Latency } from './latency.ts';

/** The shares of an update's subscribers for which is measured when they are current, as relays do. */
export const SHARES = [0.5, 0.95, 0.99, 1] as const;

/** Each bucket of times is this much longer than the one before. */
const PRECISION = 1.01;
const SHORTEST_MS = 0.01;
/** Updates after this number are left out, to limit the memory. */
const MAX_UPDATES = 10_000;

/** When the subscribers of one update that one process holds at one relay were current. */
export interface UpdateTimes {
  /** The number of the update, from 0. */
  readonly update: number;
  /** The number of the address that they are connected to, from 0. */
  readonly relay: number;
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
  /** The mean over updates and relays, each with its own subscribers alone, as relays measure it. */
  readonly perRelayMeanMs: number;
  /** The mean that the relays measured, from the inside; undefined without their metrics. */
  readonly relaysMeanMs: number | undefined;
}

/** Collects when the clients of a process became current on each update. */
export class CurrentTimes {
  /** By update and relay: the clients in each bucket. */
  readonly #updates: Map<number, number>[][] = [];

  /**
   * @param relay the number of the address that the client is connected to
   * @param ms since the update was due
   */
  record(update: number, relay: number, ms: number): void {
    if (update >= MAX_UPDATES) return;
    this.#updates[update] ??= [];
    const relays = this.#updates[update];
    relays[relay] ??= new Map();
    const buckets = relays[relay];
    const bucket = Math.round(Math.log(Math.max(SHORTEST_MS, ms)) / Math.log(PRECISION));
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }

  /**
   * @param updates number of updates that were due
   * @param missing number of connected clients that lack an update, by its number and by relay
   */
  times(updates: number, missing: ReadonlyMap<number, readonly number[]>): readonly UpdateTimes[] {
    return Array.from({ length: Math.min(updates, MAX_UPDATES) }, (_, update) => {
      const [had, lack] = [this.#updates[update] ?? [], missing.get(update) ?? []];
      return Array.from({ length: Math.max(had.length, lack.length) }, (_, relay) => ({
        update,
        relay,
        buckets: [...(had[relay] ?? [])],
        missing: lack[relay] ?? 0,
      }));
    }).flat();
  }
}

/** Merges the times of all processes. Updates whose version is not known are left out. */
export function currentWithin(deps: {
  times: readonly UpdateTimes[];
  assignedAfterMs: AssignedAfterMs;
  relaysMeanMs: (share: number) => number | undefined;
}): readonly CurrentWithin[] {
  const { times, assignedAfterMs, relaysMeanMs } = deps;
  const ofUpdates = groupsOf(times, ({ update }) => `${update}`);
  const ofRelays = groupsOf(times, ({ update, relay }) => `${update} ${relay}`);
  return SHARES.map((share) => {
    const { latency, meanMs, ...counts } = timesOf(ofUpdates, share, assignedAfterMs);
    const [p50, p99, max] =
      latency.count === 0 ? [0, 0, 0] : [latency.quantile(0.5), latency.quantile(0.99), latency.maxMs];
    const perRelayMeanMs = timesOf(ofRelays, share, assignedAfterMs).meanMs;
    return { share, ...counts, meanMs, p50, p99, max, perRelayMeanMs, relaysMeanMs: relaysMeanMs(share) };
  }).filter(({ updates }) => updates > 0);
}

function groupsOf(times: readonly UpdateTimes[], keyOf: (part: UpdateTimes) => string): readonly UpdateTimes[][] {
  const groups = new Map<string, UpdateTimes[]>();
  for (const part of times) {
    const key = keyOf(part);
    const group = groups.get(key);
    if (group) group.push(part);
    else groups.set(key, [part]);
  }
  return [...groups.values()];
}

/** Returns the times until a share of the clients of each group was current; each group has the parts of one update. */
function timesOf(groups: readonly (readonly UpdateTimes[])[], share: number, assignedAfterMs: AssignedAfterMs) {
  const latency = new Latency();
  let [updates, never, sumMs] = [0, 0, 0];
  for (const parts of groups) {
    const afterMs = assignedAfterMs(parts[0]?.update ?? 0);
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
  return { updates, never, latency, meanMs: latency.count === 0 ? 0 : sumMs / latency.count };
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
