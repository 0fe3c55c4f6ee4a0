import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';

/** What is owed for a topic of a session that is not answered with a number yet. */
export interface Pending {
  readonly since: Version | null;
  /** By the clock that never steps. */
  readonly joinedAtMs: number;
  saidNull: boolean;
}

const NOTHING: ReadonlyMap<Topic, Pending> = new Map();

/**
 * A client's topics, and what is owed for those whose number was not said yet. Most clients have one topic and are
 * owed nothing, and there may be a million of them: so the first topic needs no set, and what is owed no map for long.
 */
export class SessionTopics implements Iterable<Topic> {
  #first: Topic | undefined;
  #others: Set<Topic> | undefined;
  #owed: Map<Topic, Pending> | undefined;

  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  has(topic: Topic): boolean {
    return this.#first === topic || this.#others?.has(topic) === true;
  }

  /** Notes what is owed for a topic; true where the topic is new. */
  add(topic: Topic, pending: Pending): boolean {
    this.#owed ??= new Map();
    this.#owed.set(topic, pending);
    if (this.has(topic)) return false;
    if (this.#first === undefined) this.#first = topic;
    else {
      this.#others ??= new Set();
      this.#others.add(topic);
    }
    return true;
  }

  /** Removes a topic; false where it is not there. */
  delete(topic: Topic): boolean {
    this.settle(topic);
    if (this.#first !== topic) return this.#others?.delete(topic) === true;
    this.#first = undefined;
    return true;
  }

  clear(): void {
    this.#first = undefined;
    this.#others = undefined;
    this.#owed = undefined;
  }

  *[Symbol.iterator](): Iterator<Topic> {
    if (this.#first !== undefined) yield this.#first;
    if (this.#others) yield* this.#others;
  }

  get owed(): ReadonlyMap<Topic, Pending> {
    return this.#owed ?? NOTHING;
  }

  /** Nothing is owed for the topic any more. */
  settle(topic: Topic): void {
    if (this.#owed?.delete(topic) && this.#owed.size === 0) this.#owed = undefined;
  }
}
