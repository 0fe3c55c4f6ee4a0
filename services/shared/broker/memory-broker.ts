import { randomUUID } from 'node:crypto';
import type { Topic } from '../update/topic.ts';
import type { Update, UpdateBody, Version } from '../update/update.ts';
import { decodeBody, decodeSignal, encodeBody, encodeSignal } from '../update/update-codec.ts';
import type {
  Broker,
  Changed,
  Digest,
  FeedHandler,
  PartitionState,
  Probe,
  Published,
  RelayLoad,
  Witness,
} from './broker.ts';
import { MemoryReceipts } from './memory-receipts.ts';
import {
  DATA_TTL_MS,
  DIGEST_LIMIT,
  LOAD_TTL_MS,
  MEMORY_RESERVATION_TTL_MS,
  RECENT_WINDOW_US,
  REGISTER_TTL_MS,
  RESPONSE_TTL_MS,
  RETENTION_US,
} from './retention.ts';

/**
 * A broker for a cluster of one process. Keeps registers in memory, nothing across a restart. Delivers asynchronously
 * and encodes updates, as Redis does, so that callers cannot rely on more.
 */
export class MemoryBroker implements Broker {
  readonly partitions = 1;
  readonly receipts: MemoryReceipts;
  readonly #nowMs: () => number;
  readonly #dataTtlMs: number;
  readonly #epoch = randomUUID();
  readonly #registers = new Map<Topic, { version: Version; body: string }>();
  /** Topics with `data`, and when it expires, in this order. */
  readonly #dataExpiresAtMs = new Map<Topic, number>();
  readonly #responses = new Map<string, { response: string; expiresAtMs: number }>();
  readonly #reservations = new Map<string, { response: string; expiresAtMs: number }>();
  readonly #loads = new Map<string, { load: RelayLoad; expiresAtMs: number }>();
  /** The newest version of each publisher. */
  readonly #publishedBy = new Map<string, Version>();
  /** The newest acknowledgement of each publisher that a raise of the floor has covered. */
  readonly #coveredOf = new Map<string, number>();
  readonly #watched = new Set<Topic>();
  #handler: FeedHandler | undefined;
  #floor = 0;
  #raises = 0;
  #last = 0;
  /** The topics that changed recently, with their newest version, in ascending order of versions. */
  readonly #recent = new Map<Topic, Version>();
  /** Changes up to this version may be missing from `recent`. */
  #trimmed: Version = 0;

  /** @param deps.dataTtlMs time after which `data` is deleted, in milliseconds (an hour) */
  constructor(deps: { nowMs?: () => number; dataTtlMs?: number } = {}) {
    this.#dataTtlMs = deps.dataTtlMs ?? DATA_TTL_MS;
    this.#nowMs = deps.nowMs ?? Date.now;
    const relays = () => this.#freshLoads().map(([name]) => name);
    this.receipts = new MemoryReceipts({ nowMs: this.#nowMs, relays });
  }

  setFeedHandler(handler: FeedHandler): void {
    this.#handler = handler;
  }

  async start(): Promise<void> {
    this.#floor = this.#nowUs();
    this.#last = this.#floor;
    this.#handler?.linkUp();
  }

  async stop(): Promise<void> {
    this.#watched.clear();
  }

  partitionOf(_topic: Topic): number {
    return 0;
  }

  async publish(topic: Topic, body: UpdateBody, witness: Witness): Promise<Published> {
    this.#checkEpoch(witness);
    const version = Math.max(this.#nowUs(), this.#last + 1, witness.version + 1);
    const text = encodeBody(body);
    this.#last = version;
    const assignedBefore = this.#assignedTo(witness);
    const previous = this.#registers.get(topic)?.version ?? version - REGISTER_TTL_MS * 1000;
    if (witness.promised) this.#publishedBy.set(witness.promised.publisher, version);
    this.#registers.delete(topic); // keeps the map in the order of versions
    this.#registers.set(topic, { version, body: text });
    this.#dataExpiresAtMs.delete(topic);
    if (body.data !== undefined) this.#dataExpiresAtMs.set(topic, this.#nowMs() + this.#dataTtlMs);
    this.#recent.delete(topic);
    this.#recent.set(topic, version);
    this.#trimRecent();
    this.#deleteExpired();
    const signal = encodeSignal(version, text);
    setImmediate(() => this.#signal(topic, signal));
    return { version, epoch: this.#epoch, previous: Math.max(previous, this.#floor), assignedBefore };
  }

  async publishAll(topics: readonly Topic[], body: UpdateBody, witness: Witness): Promise<readonly Published[]> {
    const assignedBefore = this.#assignedTo(witness);
    const published = await Promise.all(topics.map((topic) => this.publish(topic, body, witness)));
    return published.map((update) => ({ ...update, assignedBefore }));
  }

  async watch(topics: readonly Topic[]): Promise<void> {
    for (const topic of topics) this.#watched.add(topic);
  }

  async unwatch(topics: readonly Topic[]): Promise<void> {
    for (const topic of topics) this.#watched.delete(topic);
  }

  async read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    this.#deleteExpired();
    return topics.map((topic) => {
      const register = this.#registers.get(topic);
      return register && { topic, version: register.version, ...decodeBody(register.body) };
    });
  }

  async digest(_partition: number, witness: Witness, cursor: Version): Promise<Digest> {
    const state = this.#checkState(witness);
    const newest = this.#changedAfter(cursor);
    return { ...state, changed: newest.slice(0, DIGEST_LIMIT), hasMore: newest.length > DIGEST_LIMIT };
  }

  async probe(_partition: number, witness: Witness, _waitMs: number): Promise<Probe> {
    const state = this.#checkState(witness);
    await new Promise((resolve) => setImmediate(resolve)); // behind the signals of earlier updates
    return { ...state, signals: 'complete' };
  }

  async recentVersions(topics: readonly Topic[]): Promise<(Version | undefined)[]> {
    return topics.map((topic) => this.#recent.get(topic));
  }

  async loadOrReserve(key: string, reservation: string): Promise<string | undefined> {
    const now = this.#nowMs();
    const stored = this.#responses.get(key) ?? this.#reservations.get(key);
    if (stored && stored.expiresAtMs > now) return stored.response;
    this.#reservations.set(key, { response: reservation, expiresAtMs: now + MEMORY_RESERVATION_TTL_MS });
    return undefined;
  }

  async releaseReservation(key: string, reservation: string): Promise<void> {
    if (this.#reservations.get(key)?.response === reservation) this.#reservations.delete(key);
  }

  async storeResponse(key: string, response: string): Promise<void> {
    const now = this.#nowMs();
    for (const [old, { expiresAtMs }] of this.#responses) {
      if (expiresAtMs > now) break;
      this.#responses.delete(old);
    }
    this.#reservations.delete(key);
    this.#responses.delete(key); // keeps the map in the order of expiry
    this.#responses.set(key, { response, expiresAtMs: now + RESPONSE_TTL_MS });
  }

  async exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]> {
    this.#loads.delete(relayId);
    if (load) {
      const { ttlMs = LOAD_TTL_MS, ...rest } = load;
      this.#loads.set(relayId, { load: rest, expiresAtMs: this.#nowMs() + ttlMs });
    }
    return this.#freshLoads().map(([, { load }]) => load);
  }

  resetSubscription(_partition: number): void {
    this.#watched.clear();
    this.#handler?.watchesLost([0]);
  }

  #freshLoads() {
    const now = this.#nowMs();
    for (const [id, { expiresAtMs }] of this.#loads) if (expiresAtMs <= now) this.#loads.delete(id);
    return [...this.#loads];
  }

  #nowUs(): Version {
    return Math.round(this.#nowMs() * 1000);
  }

  /** Checks the epoch, and returns the state of the partition. */
  #checkState(witness: Witness): PartitionState {
    this.#checkEpoch(witness);
    // The time that versions are based on never goes back, even if the clock does.
    const now = Math.max(this.#nowUs(), this.#last);
    const base = now - (now % (RETENTION_US / 2));
    this.#last = Math.max(this.#last, base);
    this.#deleteExpired();
    return {
      epoch: this.#epoch,
      floor: this.#floor,
      raiseId: String(this.#raises),
      isFirstFloor: this.#raises === 0,
      last: this.#last,
      base,
      retainedSince: now - RETENTION_US,
      completeAfter: this.#trimmed,
    };
  }

  #checkEpoch(witness: Witness): void {
    if (!this.#hasLost(witness)) return;
    const floor = Math.max(this.#nowUs(), this.#last, witness.version) + 1;
    this.#floor = floor;
    this.#last = floor;
    this.#raises += 1;
    const { promised, acknowledged } = witness;
    if (promised && acknowledged) this.#coveredOf.set(promised.publisher, Math.max(...acknowledged));
    const raise = String(this.#raises);
    setImmediate(() => this.#handler?.raiseFloor(0, floor, raise));
  }

  /** Applies the rules of epoch.lua. Within one process only a test can cause a loss. */
  #hasLost({ epoch, version, acknowledged, raiseId, promised }: Witness): boolean {
    if (epoch === '') return false;
    if (this.#last < version) return true;
    if (raiseId !== undefined) return raiseId !== String(this.#raises) && this.#floor <= version;
    if (epoch !== this.#epoch) {
      const covered = (promised && this.#coveredOf.get(promised.publisher)) ?? 0;
      const epochs = epoch.split(' ');
      return (
        this.#floor < version || acknowledged?.some((each, i) => epochs[i] !== this.#epoch && each > covered) === true
      );
    }
    if (!promised || this.#floor >= promised.version) return false;
    return this.#assignedTo({ promised }) < promised.version;
  }

  /** Returns the newest version assigned to the publisher of a witness; 0 if none. */
  #assignedTo({ promised }: Pick<Witness, 'promised'>): Version {
    return (promised && this.#publishedBy.get(promised.publisher)) ?? 0;
  }

  #changedAfter(cursor: Version): Changed[] {
    const changed = [...this.#recent].map(([topic, version]) => ({ topic, version }));
    return changed.filter(({ version }) => version > cursor);
  }

  #signal(topic: Topic, text: string): void {
    if (!this.#watched.has(topic)) return;
    const update = decodeSignal(topic, text);
    if (update !== undefined) this.#handler?.deliver(update);
  }

  /** Called only when publishing: a raise of the floor or of the base alone does not shorten what `recent` covers. */
  #trimRecent(): void {
    const cutoff = this.#last - RECENT_WINDOW_US;
    for (const [topic, version] of this.#recent) {
      if (version > cutoff) return;
      this.#recent.delete(topic);
      this.#trimmed = version;
    }
  }

  #deleteExpired(): void {
    for (const [topic, expiresAtMs] of this.#dataExpiresAtMs) {
      if (expiresAtMs > this.#nowMs()) break;
      this.#dataExpiresAtMs.delete(topic);
      const register = this.#registers.get(topic);
      if (!register) continue;
      const { data: _, ...rest } = decodeBody(register.body);
      register.body = encodeBody(rest);
    }
    const expired = this.#nowUs() - REGISTER_TTL_MS * 1000;
    for (const [topic, { version }] of this.#registers) {
      if (version > expired) break;
      this.#registers.delete(topic);
    }
  }
}
