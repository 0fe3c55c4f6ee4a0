/**
 * The time for which a connection's server counts as the one that `INFO` named, in milliseconds. The process behind a
 * connection stays the same; but one that was demoted, loaded older data from the new master, and was promoted again
 * keeps its connections.
 */
const LEASE_MS = 1000;

/** The server behind the current connection of a client. */
export interface KnownServer {
  /** The run id and replication id that `INFO` showed within the last second, as in `meta`; empty if it has not been read. */
  readonly name: string;
  /** Stores the name that a call on this connection has read; an empty one is ignored. */
  learn(name: string): void;
}

/** Remembers which server `INFO` showed on each connection, so that not every publish reads it: that costs as much as publishing. */
export class KnownServers {
  readonly #monotonicMs: () => number;
  /** By socket: what was read on a connection says nothing about the next one. */
  readonly #leases = new WeakMap<object, { readonly name: string; readonly endsAtMs: number }>();

  constructor(deps: { monotonicMs: () => number }) {
    this.#monotonicMs = deps.monotonicMs;
  }

  /** Returns the server for a call that is sent at once on the current socket of a client. */
  of({ stream }: { readonly stream: object }): KnownServer {
    const nowMs = this.#monotonicMs();
    const lease = this.#leases.get(stream);
    return {
      name: lease && nowMs < lease.endsAtMs ? lease.name : '',
      learn: (name) => {
        if (name !== '') this.#leases.set(stream, { name, endsAtMs: nowMs + LEASE_MS });
      },
    };
  }
}
