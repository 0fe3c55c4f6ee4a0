import type { RelayLoad, RelayRegistry } from '../../services/shared/broker/broker.ts';
import { decodeQuery, decodeReply, encodeQuery, encodeReply } from '../../services/shared/broker/receipt-codec.ts';
import type { ReceiptQuery, ReceiptReply, Receipts, RelayMembership } from '../../services/shared/broker/receipts.ts';
import { countMissing, RegisteredRelays } from '../../services/shared/broker/redis/registered-relays.ts';
import { LOAD_TTL_MS, MAX_TTL_DIFFERENCE_MS, RECEIPT_TTL_MS } from '../../services/shared/broker/retention.ts';
import type { Clock } from '../../services/shared/clock.ts';
import type { SimulatedServer } from './simulated-server.ts';

/** The deadline of a call, as `REDIS_TIMEOUT` by default. */
const TIMEOUT_MS = 2000;

/** The relay registry and the receipts of a process on simulated Redis servers: behaves as `RedisRelays` and `RedisReceipts`. */
export class SimulatedReceipts implements Receipts, RelayRegistry {
  readonly #clock: Clock;
  readonly #call: <T>(partition: number, run: (server: SimulatedServer) => T) => Promise<T>;
  readonly #partitionOf: (query: ReceiptQuery) => number;
  #handler: ((query: ReceiptQuery) => void) | undefined;
  readonly #registered: RegisteredRelays;
  readonly #relaysRegistered: Set<string>;
  #stored = { atMs: Number.NEGATIVE_INFINITY, ttlMs: 0 };

  constructor(deps: {
    clock: Clock;
    call: <T>(partition: number, run: (server: SimulatedServer) => T) => Promise<T>;
    partitionOf: (query: ReceiptQuery) => number;
    relaysRegistered: Set<string>;
  }) {
    this.#clock = deps.clock;
    this.#relaysRegistered = deps.relaysRegistered;
    this.#registered = new RegisteredRelays({ monotonicMs: () => deps.clock.monotonicMs() });
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
      const { state, lostAtUs } = this.#check(server, false);
      this.#registered.know(state);
      const untilMs = Math.max(LOAD_TTL_MS, ...relays.map(([, { ttlMs }]) => ttlMs)) + MAX_TTL_DIFFERENCE_MS;
      const isIncomplete = lostAtUs > 0 && Math.abs(server.nextNowUs() - lostAtUs) < untilMs * 1000;
      const entries = relays.map(([, { seen }]) => seen);
      return { relays: relays.map(([id]) => id), missing: countMissing(entries, isIncomplete) };
    });
  }

  async exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]> {
    const exchanged = await this.#exchange(relayId, load);
    const { ttlMs = LOAD_TTL_MS } = load ?? {};
    const hasChanged = load !== undefined && this.#registered.learn({ ...exchanged, ttlMs });
    return (hasChanged ? await this.#exchange(relayId, load) : exchanged).all;
  }

  async #exchange(id: string, load: RelayLoad | undefined) {
    const { ttlMs = LOAD_TTL_MS, ...rest } = load ?? { connections: 0 };
    const nowMs = this.#clock.monotonicMs();
    const maxAgeMs = nowMs - this.#stored.atMs + TIMEOUT_MS;
    const storedTtlMs = this.#stored.ttlMs;
    const seen = this.#registered.entry;
    const { relays, registry, queries } = await this.#call(0, (server) => {
      const nowUs = server.nextNowUs();
      const at = server.data.relays.get(id)?.storedAtUs;
      const isGone = at === undefined || nowUs < at || nowUs - at > maxAgeMs * 1000;
      const { state } = this.#check(server, load !== undefined && maxAgeMs < storedTtlMs && isGone);
      const entry = { load: rest, seen, storedAtUs: nowUs, ttlMs };
      server.write(({ relays }) => void (load ? relays.set(id, entry) : relays.delete(id)));
      const pending = [...server.data.queries.values()].filter(({ expiresAtUs }) => expiresAtUs > nowUs);
      return {
        relays: registered(server),
        registry: state,
        queries: pending.map(({ text }) => text),
      };
    });
    this.#stored = { atMs: nowMs, ttlMs };
    for (const text of queries) this.receive(text);
    this.#relaysRegistered.add(id);
    return { all: relays.map(([, each]) => each.load), registry, count: relays.length };
  }

  /** Models `check_registry` of `registry.lua`. */
  #check(server: SimulatedServer, hasLost: boolean): { state: string; lostAtUs: number } {
    const { runId, replicationId, wasReplica, loaded } = server.identity;
    const current = `${runId}.${loaded}${wasReplica ? `.${replicationId}` : ''}`;
    const nowUs = server.nextNowUs();
    let {
      createdAtUs,
      lostAtUs,
      server: stored,
    } = server.data.registry ?? {
      createdAtUs: nowUs,
      lostAtUs: 0,
      server: current,
    };
    if (stored !== current) lostAtUs = nowUs;
    const { registry: known } = this.#registered;
    const knowsEarlier = known !== '' && known.split(' ')[0] !== `${createdAtUs}`;
    if (knowsEarlier && lostAtUs === 0) lostAtUs = createdAtUs;
    if (!knowsEarlier && hasLost) lostAtUs = nowUs;
    server.write((data) => {
      data.registry = { createdAtUs, lostAtUs, server: current };
    });
    return { state: `${createdAtUs} ${lostAtUs}`, lostAtUs };
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
