import type { BrokerFeed } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update } from '../../shared/update/update.ts';

/** A topic stays watched this long after its last subscriber, so that a page that reloads finds it loaded. */
export const LINGER_MS = 5000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2000;

/** The state of a topic: to be watched, to be read, or loaded. */
type Stage = 'unwatched' | 'unread' | 'ready';

/** Receives the registers of watched topics. */
export interface InterestHandler {
  /** The topic is watched, and this is its stored register; called again after a lost watch. */
  loaded(topic: Topic, stored: Update | undefined): void;
  /** The topic is not watched any more: its register is out of date from now on. */
  forget(topic: Topic): void;
  /** Whether the topic's register is loaded: then digests keep it current, even while its watch is lost. */
  isLoaded(topic: Topic): boolean;
  /** Called after each attempt to watch and read topics. */
  attempted(): void;
}

type Feed = Pick<BrokerFeed, 'watch' | 'unwatch' | 'read' | 'partitionOf'>;

/**
 * Keeps the broker's watches equal to the topics that have subscribers. Collects the changes of a turn into one batch;
 * runs one batch at a time; retries until it succeeds; unwatches late. A watch is acknowledged before its register is
 * read, so that no update falls between the two. An unreachable partition does not delay the topics of the others.
 */
export class TopicInterest {
  readonly #feed: Feed;
  readonly #handler: InterestHandler;
  readonly #clock: Clock;
  readonly #stages = new Map<Topic, Stage>();
  readonly #unfinished = new Set<Topic>();
  /** Topics that are not watched, or not loaded, and since when by the monotonic clock; oldest first. */
  readonly #unproven = new Map<Topic, number>();
  /** Loaded topics whose watch was lost, until they are watched and read again, and their partitions. */
  readonly #relapsed = new Map<Topic, number>();
  /** Topics without subscribers, and when to unwatch them; earliest first. */
  readonly #idle = new Map<Topic, number>();
  /** Topics of the call under way for which its result is still valid. */
  #valid = new Set<Topic>();
  #running = false;
  /** Whether there is a change since the run under way began, which need not wait for a retry. */
  #again = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { feed: Feed; handler: InterestHandler; clock: Clock }) {
    this.#feed = deps.feed;
    this.#handler = deps.handler;
    this.#clock = deps.clock;
  }

  /** Number of topics that have subscribers, or had some within the last seconds. */
  get size(): number {
    return this.#stages.size;
  }

  has(topic: Topic): boolean {
    return this.#stages.has(topic);
  }

  /** Since when a topic is not watched, or not loaded, in milliseconds of the monotonic clock; undefined if none is. */
  get unprovenSinceMs(): number | undefined {
    const [oldest] = this.#unproven.values();
    return oldest;
  }

  /** Watches a topic that has its first subscriber. */
  acquire(topic: Topic): void {
    this.#idle.delete(topic);
    if (this.#stages.has(topic)) return;
    this.#stages.set(topic, 'unwatched');
    this.#unfinished.add(topic);
    this.#unproven.set(topic, this.#clock.monotonicMs());
    this.#schedule(0);
  }

  /** Unwatches a topic that has lost its last subscriber, after a while. */
  release(topic: Topic): void {
    this.#idle.set(topic, this.#clock.monotonicMs() + LINGER_MS);
    this.#schedule(LINGER_MS);
  }

  /** Whether the broker has acknowledged the watch of a topic. */
  isWatched(topic: Topic): boolean {
    const stage = this.#stages.get(topic);
    return stage !== undefined && stage !== 'unwatched';
  }

  /** Watches and reads the topics of these partitions again, since their watches were lost. */
  lost(partitions: readonly number[]): void {
    const void_ = new Set(partitions);
    for (const topic of this.#stages.keys()) {
      const partition = this.#feed.partitionOf(topic);
      if (!void_.has(partition)) continue;
      if (this.#handler.isLoaded(topic)) this.#relapsed.set(topic, partition);
      this.#valid.delete(topic);
      this.#stages.set(topic, 'unwatched');
      this.#unfinished.add(topic);
      if (!this.#unproven.has(topic)) this.#unproven.set(topic, this.#clock.monotonicMs());
    }
    this.#schedule(0);
  }

  /** Whether clients rely on a topic of the partition that is not watched and read again yet after its watch was lost. */
  hasRelapsed(partition: number): boolean {
    for (const each of this.#relapsed.values()) if (each === partition) return true;
    return false;
  }

  /**
   * Repeats reads that are under way: a digest of the partition shows that these topics, or perhaps any, have changed
   * and may have been read before that.
   */
  changed(partition: number, topics: Iterable<Topic> | 'all'): void {
    for (const topic of topics === 'all' ? this.#valid : topics) {
      if (this.#stages.get(topic) === 'unread' && this.#feed.partitionOf(topic) === partition)
        this.#valid.delete(topic);
    }
  }

  /** Retries now, since the broker can be reached again. */
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
    if (delayMs > 0 && this.#timer) return; // it fires earlier, and schedules again
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
    this.#handler.attempted();
    const delayMs = this.#again ? 0 : this.#retryMs;
    this.#retryMs = isDone ? FIRST_RETRY_MS : Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    if (!isDone) this.#schedule(delayMs);
    else if (this.#unfinished.size > 0) this.#schedule(0);
    else if (this.#idle.size > 0) this.#schedule(LINGER_MS);
  }

  /** Does everything that is due once. Returns whether all of it succeeded. */
  async #tryAll(): Promise<boolean> {
    const due = this.#takeIdle();
    if (due.length > 0) await this.#feed.unwatch(due).catch(() => {}); // costs only unused signals
    const watched = await this.#call('unwatched', (topics) => this.#feed.watch(topics));
    for (const topic of watched.results.flatMap(({ topics }) => topics)) {
      if (this.#take(topic, 'unread') && this.#handler.isLoaded(topic)) this.#unproven.delete(topic);
    }
    const read = await this.#call('unread', (topics) => this.#feed.read(topics));
    for (const { topics, result } of read.results) {
      topics.forEach((topic, i) => {
        if (!this.#take(topic, 'ready')) return;
        this.#unfinished.delete(topic);
        this.#unproven.delete(topic);
        this.#relapsed.delete(topic);
        this.#handler.loaded(topic, result[i]);
      });
    }
    return !watched.hasFailed && !read.hasFailed;
  }

  /** Calls the broker once for each partition with topics of a stage. Resolves when all calls have ended. */
  async #call<T>(
    stage: Stage,
    call: (topics: readonly Topic[]) => Promise<T>,
  ): Promise<{ results: { topics: readonly Topic[]; result: T }[]; hasFailed: boolean }> {
    const partitions = new Map<number, Topic[]>();
    for (const topic of this.#unfinished) {
      if (this.#stopped || this.#stages.get(topic) !== stage) continue;
      const partition = this.#feed.partitionOf(topic);
      const topics = partitions.get(partition);
      if (topics) topics.push(topic);
      else partitions.set(partition, [topic]);
    }
    const groups = [...partitions.values()];
    this.#valid = new Set(groups.flat());
    const calls = await Promise.allSettled(groups.map(async (topics) => ({ topics, result: await call(topics) })));
    const results = calls.flatMap((settled) => (settled.status === 'fulfilled' ? [settled.value] : []));
    return { results, hasFailed: results.length < groups.length };
  }

  /** Moves a topic to the next stage, unless the result is not valid for it any more. */
  #take(topic: Topic, stage: Stage): boolean {
    if (!this.#valid.has(topic)) return false;
    this.#stages.set(topic, stage);
    return true;
  }

  #takeIdle(): Topic[] {
    const now = this.#clock.monotonicMs();
    const due: Topic[] = [];
    for (const [topic, at] of this.#idle) {
      if (at > now) break; // all others are later
      due.push(topic);
      this.#idle.delete(topic);
      this.#stages.delete(topic);
      this.#unfinished.delete(topic);
      this.#unproven.delete(topic);
      this.#relapsed.delete(topic);
      this.#handler.forget(topic);
    }
    return due;
  }
}
