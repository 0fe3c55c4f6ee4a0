import type { Judgement, LastUpdates } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import type { Mark } from '../wire/relay-message.ts';
import { firstTopic, placeOf, type TopicChoice, topicNumber } from './topic-assignment.ts';

/** What a message told a client. */
export type News = 'new' | 'repeated' | 'foreign';

/** What each client of a process knows of its topics: a few bytes each, since there may be a great many. */
export class Knowledge {
  readonly #choice: TopicChoice;
  readonly #numberOf: (client: number) => number;
  readonly #places: number;
  readonly #versions: Float64Array;
  readonly #toldAtMs: Float64Array;
  readonly #sequences: Uint32Array;
  /** Updates that were skipped because a newer one came first. */
  skipped = 0;

  /** `numberOf` is a client's number among all clients of the test. */
  constructor(deps: { choice: TopicChoice; clients: number; numberOf: (client: number) => number }) {
    this.#choice = deps.choice;
    this.#numberOf = deps.numberOf;
    this.#places = deps.choice.topicsPerClient;
    const size = deps.clients * this.#places;
    this.#versions = new Float64Array(size);
    this.#toldAtMs = new Float64Array(size);
    this.#sequences = new Uint32Array(size);
  }

  /** A client was told of an update. */
  update(client: number, update: { topic: string; version: number; mark: Mark | undefined }, nowMs: number): News {
    const at = this.#at(client, update.topic);
    if (at < 0) return 'foreign';
    if (update.version <= (this.#versions[at] ?? 0)) return 'repeated';
    const sequence = update.mark?.sequence ?? 0;
    const before = this.#sequences[at] ?? 0;
    if (before > 0 && sequence > before + 1) this.skipped += sequence - before - 1;
    this.#versions[at] = update.version;
    this.#toldAtMs[at] = nowMs;
    this.#sequences[at] = sequence;
    return 'new';
  }

  /** Whether a client knows anything of a topic. */
  knows(client: number, topic: string): boolean {
    const at = this.#at(client, topic);
    return at >= 0 && this.#versions[at] !== 0;
  }

  /** A client heard what is current; whoever knew nothing has just fetched that. */
  current(client: number, topic: string, version: number, nowMs: number): void {
    const at = this.#at(client, topic);
    if (at < 0 || this.#versions[at] !== 0) return;
    this.#versions[at] = version;
    this.#toldAtMs[at] = nowMs;
  }

  /** A client was told that something is new, without a word what. */
  updated(client: number, nowMs: number): void {
    this.#toldAtMs.fill(nowMs, client * this.#places, (client + 1) * this.#places);
  }

  /** How many updates a client was told of that is not told what; undefined where that is not known since it came. */
  told(client: number): number | undefined {
    const next = this.#sequences[client * this.#places] ?? 0;
    return next === 0 ? undefined : next - 1;
  }

  /** Notes that. */
  noteTold(client: number, count: number): void {
    this.#sequences[client * this.#places] = count + 1;
  }

  /** A client goes: what it misses meanwhile is not skipped. */
  away(client: number): void {
    this.#sequences.fill(0, client * this.#places, (client + 1) * this.#places);
  }

  /** The versions that a client has, in the order of its topics; undefined where it knows nothing. */
  since(client: number): readonly number[] | undefined {
    const versions = [...this.#versions.subarray(client * this.#places, (client + 1) * this.#places)];
    return versions.some((version) => version > 0) ? versions : undefined;
  }

  /** Looks who had the last updates at that time. `kindOf` says what a client is; undefined leaves it out. */
  judge(
    last: LastUpdates,
    atMs: number,
    kindOf: (client: number) => { isOld: boolean; isSlow: boolean; topics: number } | undefined,
  ): Judgement {
    const told = new Latency();
    const count = { clients: 0, behind: 0, behindSlow: 0 };
    for (let client = 0; client * this.#places < this.#versions.length; client += 1) {
      const kind = kindOf(client);
      if (!kind) continue;
      count.clients += 1;
      const tookMs = this.#tookMs(client, last, atMs, kind);
      if (tookMs === undefined) count[kind.isSlow ? 'behindSlow' : 'behind'] += 1;
      else if (tookMs > 0 && !kind.isSlow) told.record(tookMs);
    }
    return { ...count, told: told.take() };
  }

  /** How long it took until a client had the last update of each of its topics; undefined where it had not. */
  #tookMs(
    client: number,
    last: LastUpdates,
    atMs: number,
    kind: { isOld: boolean; topics: number },
  ): number | undefined {
    const first = firstTopic(this.#choice, this.#numberOf(client));
    let tookMs = 0;
    for (let place = 0; place < kind.topics; place += 1) {
      const topic = (first + place) % this.#choice.topics;
      const at = client * this.#places + place;
      const version = last.versions[topic] ?? 0;
      if (version === 0) continue;
      const dueMs = last.dueMs[topic] ?? 0;
      const toldAtMs = this.#toldAtMs[at] ?? 0;
      const hasIt = kind.isOld ? toldAtMs >= dueMs : (this.#versions[at] ?? 0) >= version;
      if (!hasIt || toldAtMs > atMs) return undefined;
      tookMs = Math.max(tookMs, toldAtMs - dueMs);
    }
    return tookMs;
  }

  #at(client: number, name: string): number {
    const topic = topicNumber(this.#choice, name);
    const place = topic < 0 ? -1 : placeOf(this.#choice, this.#numberOf(client), topic);
    return place < 0 ? -1 : client * this.#places + place;
  }
}
