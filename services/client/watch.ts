import type { UpdateMessage } from '../shared/protocol/server-message.ts';
import { Backoff } from './backoff.ts';
import { FETCH_TIMEOUT_MS, FIRST_FETCH_TIMEOUT_MS, SLOW_FETCH_MS } from './timings.ts';
import type { Status } from './transport.ts';

/** "Look now": what a topic has become. */
export type TopicUpdate = Omit<UpdateMessage, 'type'>;

/** Why a fetcher is run. */
export interface FetchReason {
  /** Aborted when the watch ends, or when the run takes longer than 30 s. */
  readonly signal: AbortSignal;
  /** The newest update that was told; undefined where there was none, as at the start. */
  readonly update: TopicUpdate | undefined;
}

/** Gets what is new and shows it. Where it rejects it is run again, later each time. */
export type Fetcher = (reason: FetchReason) => unknown;

/** What decides when to fetch. */
export interface Watch {
  /** Runs for the first time: as soon as the relay has said what the topic's number is, and soon in any case. */
  start(): void;
  /** The relay has said what the topic's number is. What is fetched from now on is not older. */
  subscribed(): void;
  /** Runs after the update's spread. */
  told(update: TopicUpdate): void;
  /** Runs slowly as long as the status is not `live`. */
  status(status: Status): void;
  stop(): void;
}

/**
 * Creates a watch: one run at a time, and one more where there was news meanwhile; again where it failed; and none
 * in a hidden tab, which catches up when it is shown.
 */
export function createWatch(fetcher: Fetcher): Watch {
  const backoff = new Backoff();
  let newest: TopicUpdate | undefined;
  let isWanted = false;
  /** A run is under way, or waits after one that failed. */
  let isBusy = false;
  const stopping = new AbortController();
  const stopped = stopping.signal;
  /** What was fetched so far may be older than the topic's number. */
  let isNew = false;
  let controller: AbortController | undefined;
  let first: ReturnType<typeof setTimeout> | undefined;
  let next: ReturnType<typeof setTimeout> | undefined;
  let spread: ReturnType<typeof setTimeout> | undefined;
  let slow: ReturnType<typeof setTimeout> | undefined;

  function now(): void {
    clearTimeout(first);
    isWanted = true;
    void run();
  }

  async function run(): Promise<void> {
    if (isBusy || stopped.aborted || !isWanted || globalThis.document?.hidden) return;
    isBusy = true;
    isWanted = false;
    const update = newest;
    newest = undefined;
    controller = new AbortController();
    const { signal } = controller;
    next = setTimeout(() => controller?.abort(), FETCH_TIMEOUT_MS);
    let restMs = 0;
    try {
      await fetcher({ signal, update });
      backoff.reset();
    } catch {
      isWanted = true;
      newest ??= update;
      restMs = backoff.nextMs();
    }
    clearTimeout(next);
    if (stopped.aborted) return;
    next = setTimeout(() => {
      isBusy = false;
      void run();
    }, restMs);
  }

  function status(current: Status): void {
    if (current === 'live') {
      clearTimeout(slow);
      slow = undefined;
    } else {
      slow ??= setTimeout(
        () => {
          slow = undefined;
          now();
          status('offline');
        },
        SLOW_FETCH_MS * (1 + Math.random()),
      );
    }
  }

  globalThis.document?.addEventListener('visibilitychange', run, { signal: stopped });
  return {
    start() {
      isNew = true;
      first = setTimeout(now, FIRST_FETCH_TIMEOUT_MS);
    },
    subscribed() {
      if (isNew) now();
      isNew = false;
    },
    told(update) {
      clearTimeout(first);
      newest = update;
      // A uniformly chosen part, so that a million clients which are told at once do not fetch at once.
      spread ??= setTimeout(
        () => {
          spread = undefined;
          now();
        },
        (update.spread ?? 0) * Math.random(),
      );
    },
    status,
    stop() {
      stopping.abort();
      for (const timer of [first, next, spread, slow]) clearTimeout(timer);
      controller?.abort();
    },
  };
}
