/** What an entry of the relay registry says of the others. */
export interface RelaysSeen {
  /** The number of relays that this one has seen registered. */
  readonly seen: number;
  /** Whether the registry has just lost entries, and this relay, and as many as `seen`, were registered before. */
  readonly returned?: true;
}

/** Remembers how many relays were registered before the registry lost entries: those that return are not the only ones. */
export class RegisteredRelays {
  readonly #monotonicMs: () => number;
  /** The state of the registry, '' if it is not known yet. Every loss changes it. */
  #registry = '';
  #seen = 0;
  #returnedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { monotonicMs: () => number }) {
    this.#monotonicMs = deps.monotonicMs;
  }

  /** The registry that this process knows, '' if none. */
  get registry(): string {
    return this.#registry;
  }

  /** What the entry of a relay of this process says. */
  get entry(): RelaysSeen {
    const hasReturned = this.#monotonicMs() < this.#returnedUntilMs;
    return { seen: this.#seen, ...(hasReturned && { returned: true }) };
  }

  /** Learns of the registry without an exchange. */
  know(registry: string): void {
    this.#registry = registry;
  }

  /**
   * Learns from an exchange. Returns whether the entry has changed by that.
   * @param registry.count the number of registered relays
   * @param registry.ttlMs how long an entry lives, in milliseconds
   */
  learn({ registry, count, ttlMs }: { registry: string; count: number; ttlMs: number }): boolean {
    const before = JSON.stringify(this.entry);
    const nowMs = this.#monotonicMs();
    if (this.#seen > 0 && registry !== this.#registry) this.#returnedUntilMs = nowMs + ttlMs;
    this.#registry = registry;
    if (nowMs >= this.#returnedUntilMs) this.#seen = count;
    return JSON.stringify(this.entry) !== before;
  }
}

/**
 * Returns how many relays that may be fresh may not be registered, at least.
 * @param isIncomplete whether the registry has lost entries within the time for which one lives
 */
export function countMissing(entries: readonly RelaysSeen[], isIncomplete: boolean): number {
  if (entries.length === 0) return 1; // a cluster has at least one relay
  if (!isIncomplete) return 0;
  const returned = entries.filter((entry) => entry.returned);
  return Math.max(0, Math.max(1, ...returned.map(({ seen }) => seen)) - returned.length);
}
