import type { RelayLoad } from '../broker.ts';
import type { RelayMembership } from '../receipts.ts';
import { LOAD_TTL_MS } from '../retention.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisScripts } from './redis-scripts.ts';
import { callRedis, type RedisTopology } from './redis-topology.ts';

/** An entry of the registry: the load of a relay, and how many relays it has seen registered. */
interface RelayEntry extends RelayLoad {
  readonly seen: number;
}

/**
 * The relay registry, a hash in Redis. Every relay states how many relays it has seen, so that a registry that was lost
 * and is not complete yet is recognised as such.
 */
export class RedisRelays {
  readonly #keys: RedisKeys;
  readonly #topology: RedisTopology;
  readonly #scripts: RedisScripts;
  readonly #monotonicMs: () => number;
  #seen = 0;
  /** Until then, relays that Redis lost are expected to register again: they may still be fresh. */
  #patientUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { keys: RedisKeys; topology: RedisTopology; scripts: RedisScripts; monotonicMs: () => number }) {
    this.#monotonicMs = deps.monotonicMs;
    this.#keys = deps.keys;
    this.#topology = deps.topology;
    this.#scripts = deps.scripts;
  }

  /** Exchanges the load of a relay, see `RelayRegistry`. Also returns the stored receipt queries, encoded. */
  async exchangeLoad(
    relayId: string,
    load: RelayLoad | undefined,
  ): Promise<{ loads: readonly RelayLoad[]; queries: readonly string[] }> {
    let registry = await this.#exchange(relayId, load);
    if (load && this.#learn(registry, load.ttlMs ?? LOAD_TTL_MS)) registry = await this.#exchange(relayId, load);
    return { loads: registry.relays.map(({ seen: _, ...rest }) => rest), queries: registry.queries };
  }

  async membership(): Promise<RelayMembership> {
    return this.storeQuery('', ''); // removes nothing
  }

  /** Stores a receipt query, or removes it if the text is empty. Returns the registered relays. */
  async storeQuery(id: string, text: string): Promise<RelayMembership> {
    const rows = await callRedis(this.#topology, () => {
      const redis = this.#topology.commandsForKey(this.#keys.receiptQueries());
      return this.#scripts.storeQuery(redis, [id, text]);
    });
    const seen = rows.map(([, entry]) => decodeEntry(entry).seen);
    // A cluster has at least one relay.
    const expected = Math.max(1, ...seen);
    return { relays: rows.map(([relayId]) => relayId), missing: Math.max(0, expected - rows.length) };
  }

  async #exchange(id: string, load: RelayLoad | undefined) {
    const text = load === undefined ? '' : JSON.stringify({ ...load, seen: this.#seen });
    const { relays, queries, isNew } = await callRedis(this.#topology, () => {
      const redis = this.#topology.commandsForKey(this.#keys.relays());
      return this.#scripts.storeRelay(redis, [id, text]);
    });
    return {
      relays: relays.map((entry) => decodeEntry(entry)),
      queries: queries.map(([, query]) => query),
      isNew,
    };
  }

  /** Updates the number of relays seen. Returns true if the registry holds another number. */
  #learn({ relays, isNew }: { relays: readonly RelayEntry[]; isNew: boolean }, ttlMs: number): boolean {
    const stored = this.#seen;
    const count = relays.reduce((sum, { relays: each = 1 }) => sum + each, 0);
    const nowMs = this.#monotonicMs();
    // If Redis lost this relay's entry it lost others too, and those relays will register again.
    if (isNew && count < stored) this.#patientUntilMs = nowMs + ttlMs;
    if (count >= stored || nowMs >= this.#patientUntilMs) this.#seen = count;
    return this.#seen !== stored;
  }
}

/** Decodes an entry; one that another version of this software wrote in another form counts as zero. */
function decodeEntry(text: string): RelayEntry {
  try {
    const { relays, connections, draining, isNew, shed, seen } = JSON.parse(text);
    return {
      ...(isCount(relays) && relays > 1 && { relays }),
      connections: isCount(connections) ? connections : 0,
      ...(draining === true && { draining }),
      ...(isNew === true && { isNew }),
      ...(isCount(shed) && { shed }),
      seen: isCount(seen) ? seen : 0,
    };
  } catch {
    return { connections: 0, seen: 0 };
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
