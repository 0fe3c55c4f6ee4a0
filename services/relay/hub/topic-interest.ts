import type { BrokerFeed } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update } from '../../shared/update/update.ts';

/** How long a topic without members stays watched: a page that reloads finds it ready. */
export const LINGER_MS = 5000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2000;

/** Where a topic stands on its way to being known. */
type Stage = 'unwatched' | 'unread' | 'ready';

/** What interest tells the hub. */
export interface InterestHandler {
  /** The topic is watched and this is its stored register. */
  loaded(topic: Topic, stored: Update | undefined): void;
  /** The topic is about to be watched no longer: its register must not be used again. */
  forget(topic: Topic): void;
}

type Feed = Pick<BrokerFeed, 'watch' | 'unwatch' | 'read' | 'partitionOf'>;

/**
 * Keeps the broker's watches equal to the topics that have members. Works in batches, one at a time, a turn's joins
 * together; retries until done; releases late. First the watch is acknowledged, then the register is read, so that
 * nothing falls between the two. Where one partition cannot be reached, the topics of the others need not wait for it.
 */
export class TopicInterest {
  readonly #feed: Feed;
  readonly #handler: InterestHandler;
  readonly #clock: Clock;
  readonly #stages = new Map<Topic, Stage>();
  readonly #unfinished = new Set<Topic>();
  /** Topics without members, and when to release them: the first one first. */
  readonly #idle = new Map<Topic, number>();
  /** Topics of the call under way for which its answer will count. */
  #asked = new Set<Topic>();
  #running = false;
  /** There is something new to do, for which no retry need be waited for. */
  #again = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { feed: Feed; handler: InterestHandler; clock: Clock }) {
    this.#feed = deps.feed;
    this.#handler = deps.handler;
    this.#clock = deps.clock;
  }

  /** Topics that are kept: those that have members, and those whose last one has just gone. */
  get size(): number {
    return this.#stages.size;
  }

  has(topic: Topic): boolean {
    return this.#stages.has(topic);
  }

  /** The topic has its first member. */
  acquire(topic: Topic): void {
    this.#idle.delete(topic);
    if (this.#stages.has(topic)) return;
    this.#stages.set(topic, 'unwatched');
    this.#unfinished.add(topic);
    this.#schedule(0);
  }

  /** The topic has lost its last member. */
  release(topic: Topic): void {
    this.#idle.set(topic, this.#clock.monotonicMs() + LINGER_MS);
    this.#schedule(LINGER_MS);
  }

  /** Whether signals of the topic flow, as far as the broker has said. */
  isWatched(topic: Topic): boolean {
    const stage = this.#stages.get(topic);
    return stage !== undefined && stage !== 'unwatched';
  }

  /** The watches of these partitions are void. */
  lost(partitions: readonly number[]): void {
    const void_ = new Set(partitions);
    for (const topic of this.#stages.keys()) {
      if (!void_.has(this.#feed.partitionOf(topic))) continue;
      this.#asked.delete(topic);
      this.#stages.set(topic, 'unwatched');
      this.#unfinished.add(topic);
    }
    this.#schedule(0);
  }

  /**
   * A digest of the partition names these topics, or may have left out any: a register whose read is under way may
   * have been read before that, and is read again.
   */
  changed(partition: number, topics: Iterable<Topic> | 'all'): void {
    for (const topic of topics === 'all' ? this.#asked : topics) {
      if (this.#stages.get(topic) === 'unread' && this.#feed.partitionOf(topic) === partition)
        this.#asked.delete(topic);
    }
  }

  /** The broker can be reached again: no need to wait for the next retry. */
  retryNow(): void {
    this.#retryMs = FIRST_RETRY_MS;
    this.#schedule(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again ||= delayMs === 0; // the run under way ends by scheduling what is left
      return;
    }
    if (delayMs > 0 && this.#timer) return; // it fires no later than it was set for, and schedules again
    this.#timer?.cancel();
    this.#timer = undefined;
    const run = () => void this.#run();
    if (delayMs > 0) {
      this.#timer = this.#clock.after(delayMs, run);
      return;
    }
    this.#running = true;
    this.#clock.atTurnEnd(run);
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#timer = undefined;
    this.#again = false;
    const isDone = await this.#tryAll();
    this.#running = false;
    const delayMs = this.#again ? 0 : this.#retryMs;
    this.#retryMs = isDone ? FIRST_RETRY_MS : Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    if (!isDone) this.#schedule(delayMs);
    else if (this.#unfinished.size > 0) this.#schedule(0);
    else if (this.#idle.size > 0) this.#schedule(LINGER_MS);
  }

  /** Does once whatever there is to do; false where something failed. */
  async #tryAll(): Promise<boolean> {
    const due = this.#takeIdle();
    if (due.length > 0) await this.#feed.unwatch(due).catch(() => {}); // a watch too many costs only unread signals
    const watched = await this.#ask('unwatched', (topics) => this.#feed.watch(topics));
    for (const { topics } of watched.answers) for (const topic of topics) this.#take(topic, 'unread');
    const read = await this.#ask('unread', (topics) => this.#feed.read(topics));
    for (const { topics, answer } of read.answers) {
      topics.forEach((topic, i) => {
        if (!this.#take(topic, 'ready')) return;
        this.#unfinished.delete(topic);
        this.#handler.loaded(topic, answer[i]);
      });
    }
    return !watched.hasFailed && !read.hasFailed;
  }

  /** Asks for all topics of a stage, for those of each partition by themselves; resolves when all have their answer. */
  async #ask<T>(
    stage: Stage,
    call: (topics: readonly Topic[]) => Promise<T>,
  ): Promise<{ answers: { topics: readonly Topic[]; answer: T }[]; hasFailed: boolean }> {
    const partitions = new Map<number, Topic[]>();
    for (const topic of this.#unfinished) {
      if (this.#stopped || this.#stages.get(topic) !== stage) continue;
      const partition = this.#feed.partitionOf(topic);
      const topics = partitions.get(partition);
      if (topics) topics.push(topic);
      else partitions.set(partition, [topic]);
    }
    const groups = [...partitions.values()];
    this.#asked = new Set(groups.flat());
    const results = await Promise.allSettled(groups.map(async (topics) => ({ topics, answer: await call(topics) })));
    const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    return { answers, hasFailed: answers.length < groups.length };
  }

  /** Moves a topic on, unless the answer does not count for it any more. */
  #take(topic: Topic, stage: Stage): boolean {
    if (!this.#asked.has(topic)) return false;
    this.#stages.set(topic, stage);
    return true;
  }

  #takeIdle(): Topic[] {
    const now = this.#clock.monotonicMs();
    const due: Topic[] = [];
    for (const [topic, at] of this.#idle) {
      if (at > now) break; // the others were left later
      due.push(topic);
      this.#idle.delete(topic);
      this.#stages.delete(topic);
      this.#unfinished.delete(topic);
      this.#handler.forget(topic);
    }
    return due;
  }
}
