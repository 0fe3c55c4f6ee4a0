import type { RelayLoad, RelayRegistry } from '../../services/shared/broker/broker.ts';
import { decodeQuery, decodeReply, encodeQuery, encodeReply } from '../../services/shared/broker/receipt-codec.ts';
import type { ReceiptQuery, ReceiptReply, Receipts, RelayMembership } from '../../services/shared/broker/receipts.ts';
import { LOAD_TTL_MS, RECEIPT_TTL_MS } from '../../services/shared/broker/retention.ts';
import type { Clock } from '../../services/shared/clock.ts';
import type { SimulatedServer } from './simulated-server.ts';

/** The relay registry and the receipts of a process on simulated Redis servers: behaves as `RedisRelays` and `RedisReceipts`. */
export class SimulatedReceipts implements Receipts, RelayRegistry {
  readonly #clock: Clock;
  readonly #call: <T>(partition: number, run: (server: SimulatedServer) => T) => Promise<T>;
  readonly #partitionOf: (query: ReceiptQuery) => number;
  #handler: ((query: ReceiptQuery) => void) | undefined;
  /** The number of relays that this one has seen registered, which Redis may have forgotten. */
  #seen = 0;
  #patientUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: {
    clock: Clock;
    call: <T>(partition: number, run: (server: SimulatedServer) => T) => Promise<T>;
    partitionOf: (query: ReceiptQuery) => number;
  }) {
    this.#clock = deps.clock;
    this.#call = deps.call;
    this.#partitionOf = deps.partitionOf;
  }

  onQuery(handler: (query: ReceiptQuery) => void): void {
    this.#handler = handler;
  }

  /** Passes an encoded query to the handler. */
  receive(text: string): void {
    const query = decodeQuery(text);
    if (query) this.#handler?.(query);
  }

  sendQuery(query: ReceiptQuery): Promise<void> {
    const partition = this.#partitionOf(query);
    return this.#call(partition, (server) => server.signalQuery(partition, encodeQuery(query)));
  }

  async storeQuery(query: ReceiptQuery): Promise<void> {
    await this.#call(0, (server) => {
      const entry = { text: encodeQuery(query), expiresAtUs: server.nextNowUs() + LOAD_TTL_MS * 1000 };
      server.write((data) => void data.queries.set(query.id, entry));
    });
  }

  reply({ id, ...query }: ReceiptQuery, relayId: string, reply: ReceiptReply): Promise<void> {
    return this.#call(this.#partitionOf({ id, ...query }), (server) => {
      const expiresAtUs = server.nextNowUs() + RECEIPT_TTL_MS * 1000;
      server.write(({ replies }) => {
        const byRelay = new Map(replies.get(id)?.byRelay).set(relayId, encodeReply(reply));
        replies.set(id, { byRelay, expiresAtUs });
      });
    });
  }

  readReplies(query: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>> {
    return this.#call(this.#partitionOf(query), (server) => {
      const stored = server.data.replies.get(query.id);
      const replies = new Map<string, ReceiptReply>();
      if (!stored || stored.expiresAtUs <= server.nextNowUs()) return replies;
      for (const [relayId, text] of stored.byRelay) {
        const reply = decodeReply(text, query.topics.length);
        if (reply) replies.set(relayId, reply);
      }
      return replies;
    });
  }

  async deleteQuery(query: ReceiptQuery): Promise<void> {
    const remove = (partition: number, kind: 'replies' | 'queries') =>
      this.#call(partition, (server) => server.write((data) => void data[kind].delete(query.id)));
    await Promise.all([remove(this.#partitionOf(query), 'replies'), remove(0, 'queries')]);
  }

  membership(): Promise<RelayMembership> {
    return this.#call(0, (server) => {
      const relays = registered(server);
      const expected = Math.max(1, ...relays.map(([, { seen }]) => seen));
      return { relays: relays.map(([id]) => id), missing: Math.max(0, expected - relays.length) };
    });
  }

  async exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]> {
    let loads = await this.#exchange(relayId, load);
    if (load && this.#learn(loads, load.ttlMs ?? LOAD_TTL_MS)) loads = await this.#exchange(relayId, load);
    return loads.all;
  }

  async #exchange(id: string, load: RelayLoad | undefined) {
    const { reply, queries } = await this.#call(0, (server) => {
      const isNew = load !== undefined && !server.data.relays.has(id);
      if (!load) server.write(({ relays }) => void relays.delete(id));
      else {
        const { ttlMs = LOAD_TTL_MS, ...rest } = load;
        const entry = { load: rest, seen: this.#seen, storedAtUs: server.nextNowUs(), ttlMs };
        server.write(({ relays }) => void relays.set(id, entry));
      }
      const all = registered(server).map(([, { load: each }]) => each);
      const nowUs = server.nextNowUs();
      const pending = [...server.data.queries.values()].filter(({ expiresAtUs }) => expiresAtUs > nowUs);
      return { reply: { all, isNew }, queries: pending.map(({ text }) => text) };
    });
    for (const text of queries) this.receive(text);
    return reply;
  }

  /** Updates the number of relays seen. Returns true if the registry holds another number. */
  #learn({ all, isNew }: { all: readonly RelayLoad[]; isNew: boolean }, ttlMs: number): boolean {
    const stored = this.#seen;
    const nowMs = this.#clock.monotonicMs();
    if (isNew && all.length < stored) this.#patientUntilMs = nowMs + ttlMs;
    if (all.length >= stored || nowMs >= this.#patientUntilMs) this.#seen = all.length;
    return this.#seen !== stored;
  }
}

/** Returns the entries of the registry, and deletes those that have expired. */
function registered(server: SimulatedServer) {
  const nowUs = server.nextNowUs();
  for (const [id, { storedAtUs, ttlMs }] of server.data.relays) {
    // Also of one from the future: the clock has stepped back.
    if (Math.abs(nowUs - storedAtUs) >= ttlMs * 1000) server.write(({ relays }) => void relays.delete(id));
  }
  return [...server.data.relays];
}
