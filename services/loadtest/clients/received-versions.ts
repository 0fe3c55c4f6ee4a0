import type { CheckResult, LastUpdates } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import type { UpdateStamp } from '../wire/relay-message.ts';
import { firstTopic, positionOf, type TopicAssignment, topicNumber } from './topic-assignment.ts';

/** How an update relates to what its client already has. */
export type UpdateKind = 'new' | 'duplicate' | 'not subscribed';

/** The versions that each client of a process has received, in typed arrays: a few bytes per client and topic. */
export class ReceivedVersions {
  readonly #assignment: TopicAssignment;
  readonly #numberOf: (client: number) => number;
  readonly #topicsPerClient: number;
  readonly #versions: Float64Array;
  readonly #receivedAtMs: Float64Array;
  readonly #sequences: Uint32Array;
  /** Updates that clients did not receive because a newer one of the same topic replaced them. */
  skipped = 0;

  /** `numberOf` maps a client of this process to its number among all clients of the test. */
  constructor(deps: { assignment: TopicAssignment; clients: number; numberOf: (client: number) => number }) {
    this.#assignment = deps.assignment;
    this.#numberOf = deps.numberOf;
    this.#topicsPerClient = deps.assignment.topicsPerClient;
    const size = deps.clients * this.#topicsPerClient;
    this.#versions = new Float64Array(size);
    this.#receivedAtMs = new Float64Array(size);
    this.#sequences = new Uint32Array(size);
  }

  /** Records an update that a client received. */
  recordUpdate(
    client: number,
    update: { topic: string; version: number; stamp: UpdateStamp | undefined },
    nowMs: number,
  ): UpdateKind {
    const at = this.#at(client, update.topic);
    if (at < 0) return 'not subscribed';
    if (update.version <= (this.#versions[at] ?? 0)) return 'duplicate';
    const sequence = update.stamp?.sequence ?? 0;
    const before = this.#sequences[at] ?? 0;
    if (before > 0 && sequence > before + 1) this.skipped += sequence - before - 1;
    this.#versions[at] = update.version;
    this.#receivedAtMs[at] = nowMs;
    this.#sequences[at] = sequence;
    return 'new';
  }

  /** Returns the position of the newest update of a topic that a client received on this connection; 0 if there is none. */
  sequenceOf(client: number, topic: string): number {
    return this.#sequences[this.#at(client, topic)] ?? 0;
  }

  /** Tells whether a client has any version of a topic. */
  has(client: number, topic: string): boolean {
    const at = this.#at(client, topic);
    return at >= 0 && this.#versions[at] !== 0;
  }

  /** Records the current version of a topic as received if the client has no version of it yet. */
  recordCurrent(client: number, topic: string, version: number, nowMs: number): void {
    const at = this.#at(client, topic);
    if (at < 0 || this.#versions[at] !== 0) return;
    this.#versions[at] = version;
    this.#receivedAtMs[at] = nowMs;
  }

  /** Records a signal of the legacy protocol, which names neither topic nor version. */
  recordSignal(client: number, nowMs: number): void {
    this.#receivedAtMs.fill(nowMs, client * this.#topicsPerClient, (client + 1) * this.#topicsPerClient);
  }

  /** Returns the number of updates signalled to a legacy client; undefined until it is set for this connection. */
  signalCount(client: number): number | undefined {
    const next = this.#sequences[client * this.#topicsPerClient] ?? 0;
    return next === 0 ? undefined : next - 1;
  }

  setSignalCount(client: number, count: number): void {
    this.#sequences[client * this.#topicsPerClient] = count + 1;
  }

  /** Restarts the sequence of a client: updates that it misses while disconnected do not count as skipped. */
  disconnected(client: number): void {
    this.#sequences.fill(0, client * this.#topicsPerClient, (client + 1) * this.#topicsPerClient);
  }

  /** Returns the versions of a client in the order of its topics; undefined if it has none. */
  since(client: number): readonly number[] | undefined {
    const versions = [...this.#versions.subarray(client * this.#topicsPerClient, (client + 1) * this.#topicsPerClient)];
    return versions.some((version) => version > 0) ? versions : undefined;
  }

  /** Counts the clients that had the last updates at `atMs`. Clients for which `kindOf` returns undefined are left out. */
  check(
    last: Pick<LastUpdates, 'versions' | 'dueMs'>,
    atMs: number,
    kindOf: (client: number) => { isLegacy: boolean; isSlow: boolean; topics: number } | undefined,
  ): Omit<CheckResult, 'current'> {
    const notified = new Latency();
    const count = { clients: 0, behind: 0, behindSlow: 0 };
    for (let client = 0; client * this.#topicsPerClient < this.#versions.length; client += 1) {
      const kind = kindOf(client);
      if (!kind) continue;
      count.clients += 1;
      const latencyMs = this.#latencyMs(client, last, atMs, kind);
      if (latencyMs === undefined) count[kind.isSlow ? 'behindSlow' : 'behind'] += 1;
      else if (latencyMs > 0 && !kind.isSlow) notified.record(latencyMs);
    }
    return { ...count, notified: notified.take() };
  }

  /** Returns how long it took until a client had the last update of each of its topics; undefined if it lacks one. */
  #latencyMs(
    client: number,
    last: Pick<LastUpdates, 'versions' | 'dueMs'>,
    atMs: number,
    kind: { isLegacy: boolean; topics: number },
  ): number | undefined {
    const first = firstTopic(this.#assignment, this.#numberOf(client));
    let latencyMs = 0;
    for (let position = 0; position < kind.topics; position += 1) {
      const topic = (first + position) % this.#assignment.topics;
      const at = client * this.#topicsPerClient + position;
      const version = last.versions[topic] ?? 0;
      if (version === 0) continue;
      const dueMs = last.dueMs[topic] ?? 0;
      const receivedAtMs = this.#receivedAtMs[at] ?? 0;
      const hasIt = kind.isLegacy ? receivedAtMs >= dueMs : (this.#versions[at] ?? 0) >= version;
      if (!hasIt || receivedAtMs > atMs) return undefined;
      latencyMs = Math.max(latencyMs, receivedAtMs - dueMs);
    }
    return latencyMs;
  }

  #at(client: number, name: string): number {
    const topic = topicNumber(this.#assignment, name);
    const position = topic < 0 ? -1 : positionOf(this.#assignment, this.#numberOf(client), topic);
    return position < 0 ? -1 : client * this.#topicsPerClient + position;
  }
}
