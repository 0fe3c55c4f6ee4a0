import { context } from '@opentelemetry/api';
import { Backoff } from '../client/backoff.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import type { Logger } from '../shared/logger.ts';
import type { CommentStore } from './comment-store.ts';

/** Upper bounds of the random wait after the first failed call, and after any; it doubles in between. */
const FIRST_RETRY_MS = 500;
const RETRY_CAP_MS = 10_000;

/** Events of the outbox, for metrics. */
export interface OutboxReport {
  /** The webhook has acknowledged an update. */
  published(): void;
  /** The webhook could not be reached, or has rejected the call. */
  failed(): void;
  /** Whether there are comments that are not published. */
  pending(pending: boolean): void;
}

/** Dependencies of the outbox. */
export interface OutboxDeps {
  readonly store: Pick<CommentStore, 'newestId' | 'published' | 'notePublished'>;
  readonly topic: string;
  /** Publishes an update of the topic; resolves with its version. */
  publish(): Promise<number>;
  /** Longest time that `Outbox.publish` takes, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly report: OutboxReport;
}

/** A call of `Outbox.publish` that is not resolved yet. */
interface Waiter {
  readonly commentId: number;
  resolve(published: boolean): void;
}

/**
 * Publishes an update for new comments, and retries until it succeeds. The pending state is derived from the store (the
 * newest comment, and the newest published one), so however many comments are pending there is one update to publish,
 * one call at a time, and the next process continues after a crash.
 */
export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #backoff: Backoff;
  #waiters: Waiter[] = [];
  #working = false;
  #failing = false;
  #delayed = false;
  #retry: Timer | undefined;
  /** Trace context of the newest comment; the call to the webhook becomes a part of it. */
  #context = context.active();
  #stopped = false;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ firstMs: FIRST_RETRY_MS, capMs: RETRY_CAP_MS, random: () => deps.clock.random() });
  }

  /** Whether there are comments that are not published. */
  get pending(): boolean {
    const { store, topic } = this.#deps;
    return store.newestId() > store.published(topic).commentId;
  }

  /** Whether `publish` has resolved with false for a comment that is still not published. */
  get delayed(): boolean {
    return this.#delayed;
  }

  /** Publishes the comments that an earlier process has left unpublished. */
  start(): void {
    void this.#work();
  }

  /** Starts no further call, and resolves all waiting ones with false. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#resolveWaiters(() => false);
  }

  /**
   * Publishes an update for this comment. Resolves with true once an update that was published after the comment was
   * saved is acknowledged, and with false if that fails, or takes longer than `timeoutMs`; retries continue in the
   * background. Never rejects.
   */
  publish(commentId: number): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    this.#deps.report.pending(true);
    this.#context = context.active();
    return new Promise((resolvePublish) => {
      const resolve = (published: boolean) => {
        timeout.cancel();
        if (!published) this.#delayed = true;
        resolvePublish(published);
      };
      const timeout = this.#deps.clock.after(this.#deps.timeoutMs, () => resolve(false));
      this.#waiters.push({ commentId, resolve });
      void this.#work();
    });
  }

  /** One call at a time: a comment that was saved after a call began needs another one. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    this.#retry?.cancel();
    try {
      while (!this.#stopped && this.pending) await this.#publishNewest();
      if (!this.#stopped) this.#allPublished();
    } catch (error) {
      this.#scheduleRetry(error);
    } finally {
      this.#working = false;
    }
  }

  async #publishNewest(): Promise<void> {
    const { store, topic, publish, report } = this.#deps;
    const commentId = store.newestId();
    const version = await context.with(this.#context, publish);
    if (this.#stopped) return;
    store.notePublished(topic, { commentId, version });
    report.published();
    this.#backoff.reset();
    this.#delayed = false;
    this.#resolveWaiters((waiter) => (waiter.commentId <= commentId ? true : undefined));
  }

  /** Nothing is pending; another process that shares the file may have published it. */
  #allPublished(): void {
    const { report, logger } = this.#deps;
    report.pending(false);
    if (this.#failing) logger.info('pending update published');
    this.#failing = false;
    this.#delayed = false;
    this.#resolveWaiters(() => true);
  }

  #scheduleRetry(error: unknown): void {
    const { clock, logger, report } = this.#deps;
    report.failed();
    report.pending(true);
    this.#resolveWaiters(() => false);
    if (this.#stopped) return;
    // Logged once per outage: the metrics count the rest.
    if (!this.#failing) logger.warn({ err: error }, 'update could not be published; retrying');
    this.#failing = true;
    this.#retry = clock.after(this.#backoff.nextMs(), () => void this.#work());
  }

  /** Resolves the waiters for which `outcomeOf` returns a value; the others go on waiting. */
  #resolveWaiters(outcomeOf: (waiter: Waiter) => boolean | undefined): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => outcomeOf(waiter) === undefined);
    for (const waiter of waiters) {
      const published = outcomeOf(waiter);
      if (published !== undefined) waiter.resolve(published);
    }
  }
}
