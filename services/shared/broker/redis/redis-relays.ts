import type { RelayLoad } from '../broker.ts';
import type { RelayMembership } from '../receipts.ts';
import { LOAD_TTL_MS } from '../retention.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisScripts } from './redis-scripts.ts';
import { callRedis, type RedisTopology } from './redis-topology.ts';
import { countMissing, RegisteredRelays, type RelaysSeen } from './registered-relays.ts';

/** An entry of the registry. */
type RelayEntry = RelayLoad & RelaysSeen;

/**
 * The relay registry, a hash in Redis, with a record of its creation and losses. After a loss, relays that have not registered
 * again may still be fresh. So it is incomplete for as long as an entry lives, unless all that were registered have returned.
 */
export class RedisRelays {
  readonly #keys: RedisKeys;
  readonly #topology: RedisTopology;
  readonly #scripts: RedisScripts;
  readonly #timeoutMs: number;
  readonly #monotonicMs: () => number;
  readonly #registered: RegisteredRelays;
  /** When each relay of this process last began to store its entry successfully, and the TTL of that, in milliseconds. */
  readonly #stored = new Map<string, { readonly atMs: number; readonly ttlMs: number }>();

  /** @param deps.timeoutMs the deadline of a call, in milliseconds */
  constructor(deps: {
    keys: RedisKeys;
    topology: RedisTopology;
    scripts: RedisScripts;
    timeoutMs: number;
    monotonicMs: () => number;
  }) {
    this.#timeoutMs = deps.timeoutMs;
    this.#monotonicMs = deps.monotonicMs;
    this.#registered = new RegisteredRelays(deps);
    this.#keys = deps.keys;
    this.#topology = deps.topology;
    this.#scripts = deps.scripts;
  }

  /** The number of registered relays at the last exchange; 0 in a process that makes none. */
  get count(): number {
    return this.#registered.entry.seen;
  }

  /** Exchanges the load of a relay, see `RelayRegistry`. Also returns the stored receipt queries, encoded. */
  async exchangeLoad(
    relayId: string,
    load: RelayLoad | undefined,
  ): Promise<{ loads: readonly RelayLoad[]; queries: readonly string[] }> {
    const exchanged = await this.#exchange(relayId, load);
    const { ttlMs = LOAD_TTL_MS } = load ?? {};
    const hasChanged = load !== undefined && this.#registered.learn({ ...exchanged, ttlMs });
    const { entries, queries } = hasChanged ? await this.#exchange(relayId, load) : exchanged;
    return { loads: entries.map(({ seen: _, returned: __, ...rest }) => rest), queries };
  }

  async membership(): Promise<RelayMembership> {
    return this.storeQuery('', ''); // removes nothing
  }

  /** Stores a receipt query, or removes it if the text is empty. Returns the registered relays. */
  async storeQuery(id: string, text: string): Promise<RelayMembership> {
    const { relays, registry, isIncomplete } = await callRedis(this.#topology, () => {
      const redis = this.#topology.commandsForKey(this.#keys.receiptQueries());
      return this.#scripts.storeQuery(redis, [id, text], this.#registered.registry);
    });
    this.#registered.know(registry);
    const entries = relays.map(([, entry]) => decodeEntry(entry));
    return { relays: relays.map(([relayId]) => relayId), missing: countMissing(entries, isIncomplete) };
  }

  async #exchange(id: string, load: RelayLoad | undefined) {
    const nowMs = this.#monotonicMs();
    const { atMs, ttlMs } = this.#stored.get(id) ?? { atMs: Number.NEGATIVE_INFINITY, ttlMs: 0 };
    const maxAgeMs = nowMs - atMs + this.#timeoutMs;
    const isRegistered = load !== undefined && maxAgeMs < ttlMs;
    const known = {
      relays: this.count,
      registry: this.#registered.registry,
      maxAgeMs: isRegistered ? maxAgeMs : undefined,
    };
    const text = load === undefined ? '' : JSON.stringify({ ...load, ...this.#registered.entry });
    const { relays, queries, registry } = await callRedis(this.#topology, () => {
      const redis = this.#topology.commandsForKey(this.#keys.relays());
      return this.#scripts.storeRelay(redis, [id, text], known);
    });
    if (load) this.#stored.set(id, { atMs: nowMs, ttlMs: load.ttlMs ?? LOAD_TTL_MS });
    else this.#stored.delete(id);
    const entries = relays.map(decodeEntry);
    const count = entries.reduce((sum, { relays: each = 1 }) => sum + each, 0);
    return { entries, count, registry, queries: queries.map(([, query]) => query) };
  }
}

/** Decodes an entry; one that another version of this software wrote in another form counts as zero. */
function decodeEntry(text: string): RelayEntry {
  try {
    const { relays, connections, draining, isNew, shed, seen, returned } = JSON.parse(text);
    return {
      ...(isCount(relays) && relays > 1 && { relays }),
      connections: isCount(connections) ? connections : 0,
      ...(draining === true && { draining }),
      ...(isNew === true && { isNew }),
      ...(isCount(shed) && { shed }),
      seen: isCount(seen) ? seen : 0,
      ...(returned === true && { returned }),
    };
  } catch {
    return { connections: 0, seen: 0 };
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
