/** How often something happened, by its reason. */
export type Reasons = Readonly<Record<string, number>>;

/** What one process of clients has seen so far; counts are since its start, latencies since its last report. */
export interface Figures {
  /** Clients that are connected now. */
  readonly open: number;
  /** Clients that have connected at least once. */
  readonly opened: number;
  /** Connections that came to stand, also of clients that came back. */
  readonly handshakes: number;
  /** Clients that could not connect. */
  readonly failed: Reasons;
  /** Connections that ended without our doing. */
  readonly lost: Reasons;
  /** Attempts to come back that failed. */
  readonly notBack: Reasons;
  readonly deliveries: number;
  /** Updates that clients were not told because a newer one came first. */
  readonly skipped: number;
  /** Updates that clients were told again. */
  readonly repeated: number;
  /** Updates that clients were told when they came back. */
  readonly caughtUp: number;
  /** Part of the last interval in which its event loop was busy, from 0 to 1. */
  readonly utilization: number;
  readonly residentBytes: number;
  readonly cpuS: number;
  /** From when an update was due until a client was told. */
  readonly latency: string | undefined;
  /** The same for clients that read slowly on purpose. */
  readonly slowLatency: string | undefined;
  /** From the begin of a connection until it stood. */
  readonly handshakeLatency: string | undefined;
}

/** What is known of the clients. */
export interface Judgement {
  /** Clients that have connected. */
  readonly clients: number;
  /** Those of them that did not have the newest version of each of their topics in time, without slow readers. */
  readonly behind: number;
  readonly behindSlow: number;
  /** From when the last update of their topics was due until the others had it. */
  readonly told: string | undefined;
}

/** The last update of each topic, by the topic's number. */
export interface LastUpdates {
  /** 0 where the topic had none. */
  readonly versions: readonly number[];
  readonly dueMs: readonly number[];
}

/** Adds up what several have counted. */
export function addReasons(all: readonly Reasons[]): Reasons {
  const sum: Record<string, number> = {};
  for (const reasons of all) {
    for (const [reason, count] of Object.entries(reasons)) sum[reason] = (sum[reason] ?? 0) + count;
  }
  return sum;
}

/** How often in all. */
export function countReasons(reasons: Reasons): number {
  return Object.values(reasons).reduce((sum, count) => sum + count, 0);
}
