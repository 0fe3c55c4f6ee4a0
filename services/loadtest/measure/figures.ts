import type { UpdateTimes } from './current-times.ts';

/** Counts by reason. */
export type Reasons = Readonly<Record<string, number>>;

/** The figures of one client process: counts since its start, latencies since its last report. */
export interface Figures {
  /** Clients that are connected now. */
  readonly open: number;
  /** Clients that have connected at least once. */
  readonly opened: number;
  /** Completed handshakes, including those of reconnected clients. */
  readonly handshakes: number;
  /** Clients whose first connection attempt failed. */
  readonly failed: Reasons;
  /** Connections that the load test did not close itself. */
  readonly lost: Reasons;
  /** Failed attempts to reconnect. */
  readonly reconnectFailed: Reasons;
  /** Connections that a relay with more than its share refused; their clients tried the next one at once. */
  readonly redirected: number;
  readonly deliveries: number;
  /** Updates that clients did not receive because a newer one of the same topic replaced them. */
  readonly skipped: number;
  /** Updates that clients received more than once. */
  readonly duplicates: number;
  /** Updates from before a client connected, received on connecting or reconnecting. */
  readonly caughtUp: number;
  /** Utilization of the event loop in the last interval, from 0 to 1. */
  readonly utilization: number;
  readonly residentBytes: number;
  readonly cpuS: number;
  /** From the due time of an update until a client received it; an encoded histogram. */
  readonly latency: string | undefined;
  /** The same for slow readers. */
  readonly slowLatency: string | undefined;
  /** From the connection attempt until the handshake completed. */
  readonly handshakeLatency: string | undefined;
}

/** The result of a check which clients are up to date. */
export interface CheckResult {
  /** Clients that have connected. */
  readonly clients: number;
  /** Clients without the newest version of each of their topics, not counting slow readers. */
  readonly behind: number;
  readonly behindSlow: number;
  /** From the due time of the last update until the clients that are up to date had it; an encoded histogram. */
  readonly notified: string | undefined;
  /** When the clients were current on each update; without legacy clients. */
  readonly current: readonly UpdateTimes[];
}

/** The last update of each topic, by topic index. */
export interface LastUpdates {
  /** 0 if the topic had no update. */
  readonly versions: readonly number[];
  readonly dueMs: readonly number[];
  /** Number of updates that were due, of all topics. */
  readonly updates: number;
}

/** Creates counts by reason. Reasons come from servers: none of them may be a property that every object has. */
export function createReasons(): Record<string, number> {
  return Object.create(null);
}

/** Adds up counts by reason. */
export function addReasons(all: readonly Reasons[]): Reasons {
  const sum = createReasons();
  for (const reasons of all) {
    for (const [reason, count] of Object.entries(reasons)) sum[reason] = (sum[reason] ?? 0) + count;
  }
  return sum;
}

/** Returns the total of all reasons. */
export function countReasons(reasons: Reasons): number {
  return Object.values(reasons).reduce((sum, count) => sum + count, 0);
}
