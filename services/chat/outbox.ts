import { context } from '@opentelemetry/api';
import { Backoff } from '../client/backoff.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import type { Logger } from '../shared/logger.ts';
import type { CommentStore } from './comment-store.ts';

/** The wait before a failed call is repeated is up to the first, then up to twice as long, up to the cap. */
const FIRST_RETRY_MS = 500;
const RETRY_CAP_MS = 10_000;

/** What the outbox reports. */
export interface OutboxReport {
  /** The webhook has taken an update. */
  published(): void;
  /** It could not be reached, or has refused it. */
  failed(): void;
  /** Whether there is something that the cluster was not told of. */
  pending(pending: boolean): void;
}

/** What the outbox needs. */
export interface OutboxDeps {
  readonly store: Pick<CommentStore, 'newestId' | 'published' | 'notePublished'>;
  readonly topic: string;
  /** Publishes an update of the topic; resolves with its version. */
  publish(): Promise<number>;
  /** How long `publish` of the outbox waits at most, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly report: OutboxReport;
}

/** Somebody who wants to know whether the cluster was told of a comment. */
interface Waiter {
  readonly commentId: number;
  tell(published: boolean): void;
}

/**
 * Publishes that there are comments which the cluster was not told of, and repeats that until it succeeds. What
 * is due stands beside the comments, as one number: however many comments wait, there is one update to publish,
 * one call at a time, and a process that ends before leaves it to the next.
 */
export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #backoff: Backoff;
  #waiters: Waiter[] = [];
  #working = false;
  #failing = false;
  #late = false;
  #retry: Timer | undefined;
  /** What the newest comment was a part of, so that publishing it is one too. */
  #cause = context.active();
  #stopped = false;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ firstMs: FIRST_RETRY_MS, capMs: RETRY_CAP_MS, random: () => deps.clock.random() });
  }

  /** Whether there are comments that the cluster was not told of. */
  get pending(): boolean {
    const { store, topic } = this.#deps;
    return store.newestId() > store.published(topic).commentId;
  }

  /** Whether an author was answered that the others will be told later, and they have not been so far. */
  get late(): boolean {
    return this.#late;
  }

  /** Begins with what an earlier process has left. */
  start(): void {
    void this.#work();
  }

  /** Takes up no further call. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#tell(() => false);
  }

  /**
   * Publishes that this comment is there. Resolves with true once an update that came after it is acknowledged;
   * with false where that failed or takes long: then it is repeated until it succeeds. Never rejects.
   */
  publish(commentId: number): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    this.#deps.report.pending(true);
    this.#cause = context.active();
    return new Promise((resolve) => {
      const tell = (published: boolean) => {
        patience.cancel();
        if (!published) this.#late = true;
        resolve(published);
      };
      const patience = this.#deps.clock.after(this.#deps.patienceMs, () => tell(false));
      this.#waiters.push({ commentId, tell });
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
      if (!this.#stopped) this.#done();
    } catch (error) {
      this.#tryLater(error);
    } finally {
      this.#working = false;
    }
  }

  async #publishNewest(): Promise<void> {
    const { store, topic, publish, report } = this.#deps;
    const commentId = store.newestId();
    const version = await context.with(this.#cause, publish);
    if (this.#stopped) return;
    store.notePublished(topic, { commentId, version });
    report.published();
    this.#backoff.reset();
    this.#late = false;
    this.#tell((waiter) => (waiter.commentId <= commentId ? true : undefined));
  }

  /** Nothing is due any more; another process with the same file may have seen to it. */
  #done(): void {
    const { report, logger } = this.#deps;
    report.pending(false);
    if (this.#failing) logger.info('what could not be published before is published now');
    this.#failing = false;
    this.#late = false;
    this.#tell(() => true);
  }

  #tryLater(error: unknown): void {
    const { clock, logger, report } = this.#deps;
    report.failed();
    report.pending(true);
    this.#tell(() => false);
    if (this.#stopped) return;
    // Once, however long it lasts: the metrics count the rest.
    if (!this.#failing) logger.warn({ err: error }, 'an update could not be published; it will be tried again');
    this.#failing = true;
    this.#retry = clock.after(this.#backoff.nextMs(), () => void this.#work());
  }

  /** Tells those for whom there is an answer, and lets the others wait on. */
  #tell(answer: (waiter: Waiter) => boolean | undefined): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => answer(waiter) === undefined);
    for (const waiter of waiters) {
      const published = answer(waiter);
      if (published !== undefined) waiter.tell(published);
    }
  }
}
