import type { Following } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/process/clock.ts';
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
  settle(topic: Topic, stored: Update | undefined): void;
  /** The topic is about to be watched no longer: its register must not be used again. */
  forget(topic: Topic): void;
}

/** What interest needs of a broker. */
export type InterestFeed = Pick<Following, 'watch' | 'unwatch' | 'read' | 'partitionOf'>;

/**
 * Keeps the broker's watches in one partition equal to the topics that have members. Works in batches, one call at
 * a time, a turn's joins together; retries until done; releases late. First the watch is acknowledged, then the
 * register is read, so that nothing falls between the two.
 */
export class PartitionInterest {
  readonly #feed: InterestFeed;
  readonly #handler: InterestHandler;
  readonly #clock: Clock;
  readonly #stages = new Map<Topic, Stage>();
  readonly #unfinished = new Set<Topic>();
  /** Topics without members, and when to release them. */
  readonly #idle = new Map<Topic, number>();
  /** Topics of the call under way for which its answer will count. */
  #asked = new Set<Topic>();
  #running = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { feed: InterestFeed; handler: InterestHandler; clock: Clock }) {
    this.#feed = deps.feed;
    this.#handler = deps.handler;
    this.#clock = deps.clock;
  }

  /** The topic has its first member. */
  want(topic: Topic): void {
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

  /** All watches are void. */
  lost(): void {
    this.#asked.clear();
    for (const topic of this.#stages.keys()) {
      this.#stages.set(topic, 'unwatched');
      this.#unfinished.add(topic);
    }
    this.#schedule(0);
  }

  /**
   * These topics, or all, have changed as far as the broker says: a register whose read is under way may have been
   * read before that, and is read again.
   */
  changed(topics: Iterable<Topic> | 'all'): void {
    for (const topic of topics === 'all' ? this.#asked : topics) {
      if (this.#stages.get(topic) === 'unread') this.#asked.delete(topic);
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
    if (this.#running || this.#stopped) return; // the run under way ends by scheduling what is left
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
    let delayMs: number | undefined;
    try {
      while (!this.#stopped && (await this.#step())) this.#retryMs = FIRST_RETRY_MS;
    } catch {
      delayMs = this.#retryMs;
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    }
    this.#running = false;
    if (delayMs !== undefined) this.#schedule(delayMs);
    else if (this.#unfinished.size > 0) this.#schedule(0);
    else if (this.#idle.size > 0) this.#schedule(LINGER_MS);
  }

  /** Does one batch of what is to do; false where there is nothing. */
  async #step(): Promise<boolean> {
    const due = this.#takeIdle();
    if (due.length > 0) await this.#feed.unwatch(due).catch(() => {}); // a watch too many costs only unread signals
    const unwatched = this.#inStage('unwatched');
    if (unwatched.length > 0) {
      this.#asked = new Set(unwatched);
      await this.#feed.watch(unwatched);
      for (const topic of this.#asked) this.#stages.set(topic, 'unread');
      return true;
    }
    const unread = this.#inStage('unread');
    if (unread.length === 0) return due.length > 0;
    this.#asked = new Set(unread);
    const registers = await this.#feed.read(unread);
    unread.forEach((topic, i) => {
      if (!this.#asked.has(topic)) return;
      this.#stages.set(topic, 'ready');
      this.#unfinished.delete(topic);
      this.#handler.settle(topic, registers[i]);
    });
    return true;
  }

  #inStage(stage: Stage): Topic[] {
    return [...this.#unfinished].filter((topic) => this.#stages.get(topic) === stage);
  }

  #takeIdle(): Topic[] {
    const now = this.#clock.monotonicMs();
    const due = [...this.#idle].filter(([, at]) => at <= now).map(([topic]) => topic);
    for (const topic of due) {
      this.#idle.delete(topic);
      this.#stages.delete(topic);
      this.#unfinished.delete(topic);
      this.#handler.forget(topic);
    }
    return due;
  }
}
