import type { RelayLoad } from '../broker.ts';
import type { RelayMembership } from '../receipts.ts';
import { LOAD_TTL_MS } from '../retention.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisTopology } from './redis-topology.ts';

/** After Redis has lost the relays, so many exchanges go by before those that do not come back count as gone. */
const PATIENCE = 2;

/** What is known of a relay: its load, and how many relays it has seen. */
interface Entry extends RelayLoad {
  readonly seen: number;
}

/**
 * The relays that are there, in a hash of Redis, and beside them the questions that signals may not bring. Each relay
 * says how many of them it has seen, so that a hash that was lost, and is not whole yet, does not pass for all of them.
 */
export class RedisRelays {
  readonly #keys: RedisKeys;
  readonly #topology: RedisTopology;
  readonly #attempt: <T>(call: () => Promise<T>) => Promise<T>;
  readonly #heard: (question: string) => void;
  #seen = 0;
  #patience = 0;

  /** `attempt` makes a call, and turns what Redis throws into the one error of the port. `heard` is told of questions. */
  constructor(deps: {
    keys: RedisKeys;
    topology: RedisTopology;
    attempt: <T>(call: () => Promise<T>) => Promise<T>;
    heard: (question: string) => void;
  }) {
    this.#keys = deps.keys;
    this.#topology = deps.topology;
    this.#attempt = deps.attempt;
    this.#heard = deps.heard;
  }

  /** Notes a relay's load, or forgets it, and answers the loads of all. */
  async exchange(id: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]> {
    let loads = await this.#exchange(id, load);
    if (load && this.#learns(loads)) loads = await this.#exchange(id, load);
    return loads.relays.map(({ connections }) => ({ connections }));
  }

  async census(): Promise<RelayMembership> {
    return this.noteQuestion('', ''); // none
  }

  /** Notes a question for relays to find, or forgets it where the text is empty; answers who is there. */
  async noteQuestion(id: string, text: string): Promise<RelayMembership> {
    const [key, relays] = [this.#keys.questions(), this.#keys.relays()];
    const [, rows] = await this.#call(key, relays, id, text);
    const entries = pairsOf(rows).map(([name, entry]) => ({ name, ...decodeEntry(entry) }));
    // That there is none at all cannot be: for whom is a webhook then?
    const expected = Math.max(1, ...entries.map(({ seen }) => seen));
    return { relays: entries.map(({ name }) => name), missing: Math.max(0, expected - entries.length) };
  }

  async #exchange(id: string, load: RelayLoad | undefined): Promise<{ relays: Entry[]; wasForgotten: boolean }> {
    const text = load === undefined ? '' : JSON.stringify({ ...load, seen: this.#seen });
    const [rows, questions, added] = await this.#call(this.#keys.relays(), this.#keys.questions(), id, text);
    for (const [, question] of pairsOf(questions)) this.#heard(question);
    return { relays: pairsOf(rows).map(([, entry]) => decodeEntry(entry)), wasForgotten: added > 0 };
  }

  /** Takes in how many relays there are now; true where this one has said another number. */
  #learns({ relays, wasForgotten }: { relays: readonly Entry[]; wasForgotten: boolean }): boolean {
    const said = this.#seen;
    // Where Redis has lost this one it has lost others too, which come back by and by. Otherwise they have gone.
    if (wasForgotten && relays.length < said) this.#patience = PATIENCE;
    if (relays.length >= said || this.#patience === 0) this.#seen = relays.length;
    else this.#patience -= 1;
    return this.#seen !== said;
  }

  #call(key: string, other: string, id: string, text: string) {
    return this.#attempt(() =>
      this.#topology.commandsForKey(key).heliographRelays(key, other, id, text, LOAD_TTL_MS * 1000),
    );
  }
}

function pairsOf(rows: readonly string[]): [string, string][] {
  return rows.flatMap((row, i): [string, string][] => (i % 2 === 0 ? [[row, rows[i + 1] ?? '']] : []));
}

/** Reads an entry; what another version of this software wrote counts as nothing. */
function decodeEntry(text: string): Entry {
  try {
    const { connections, seen } = JSON.parse(text);
    return { connections: isCount(connections) ? connections : 0, seen: isCount(seen) ? seen : 0 };
  } catch {
    return { connections: 0, seen: 0 };
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
