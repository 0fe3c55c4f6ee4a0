import { MAX_TTL_DIFFERENCE_MS } from '../retention.ts';

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
  /** When the registry was created and when it last lost entries, '' if it is not known yet. Every loss changes it. */
  #registry = '';
  /** The number of relays registered at the last exchange. */
  #count = 0;
  /** The number of relays registered before the last loss. */
  #expected = 0;
  #returnedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { monotonicMs: () => number }) {
    this.#monotonicMs = deps.monotonicMs;
  }

  /** The registry that this process knows, '' if none. */
  get registry(): string {
    return this.#registry;
  }

  /** The state of this process for the entry of its relay. */
  get entry(): RelaysSeen {
    return this.#hasReturned ? { seen: this.#expected, returned: true } : { seen: this.#count };
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
    if (this.#count > 0 && registry !== this.#registry && !isOfEarlierRegistry(this.#registry, registry)) {
      // After several losses in a row, those that were registered before the first one may still be fresh.
      this.#expected = Math.max(this.#count, this.#hasReturned ? this.#expected : 0);
      // For as long as the registry may count as incomplete.
      this.#returnedUntilMs = this.#monotonicMs() + ttlMs + MAX_TTL_DIFFERENCE_MS;
    }
    this.#registry = registry;
    this.#count = count;
    return JSON.stringify(this.entry) !== before;
  }

  get #hasReturned(): boolean {
    return this.#monotonicMs() < this.#returnedUntilMs;
  }
}

/** Returns whether the loss that changed the state of a registry is that of an earlier one, which only others knew. */
function isOfEarlierRegistry(before: string, after: string): boolean {
  const [created] = before.split(' ');
  return after === `${created} ${created}`;
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
