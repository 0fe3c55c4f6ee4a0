import type { UpdateMessage } from '../shared/protocol/server-message.ts';
import { Backoff } from './backoff.ts';
import { FETCH_TIMEOUT_MS, FIRST_FETCH_TIMEOUT_MS, SLOW_FETCH_MS } from './timings.ts';
import type { Status } from './transport.ts';

/**
 * The newest version of a topic: `topic`, `version`, optionally its content as `data`, and `spread`, the time in
 * milliseconds over which clients should spread their fetches.
 */
export type TopicUpdate = Omit<UpdateMessage, 'type'>;

/** The argument of a fetcher. */
export interface FetchReason {
  /** Aborted when the watch ends, or the run takes longer than 30 s. */
  readonly signal: AbortSignal;
  /** The newest update that no run has handled yet; undefined if there is none, as at the start. */
  readonly update: TopicUpdate | undefined;
}

/** Fetches and shows the content of a topic. If it throws or rejects, it runs again after a growing delay. */
export type Fetcher = (reason: FetchReason) => unknown;

/** Decides when a fetcher runs. */
export interface Watch {
  /** Requests the first run: as soon as the relay confirms the topic's version, and after 1 s at the latest. */
  start(): void;
  /** The relay confirmed the topic's version: content fetched from now on is at least as new. */
  subscribed(): void;
  /** Requests a run after a random part of the update's spread, or earlier if one is due within it already. */
  updated(update: TopicUpdate): void;
  /** Repeats runs every 15 to 30 s while the status is not `live`. */
  status(status: Status): void;
  /** Ends the watch, and aborts a run. */
  stop(): void;
}

/**
 * Creates a watch. It runs the fetcher once at a time, once more after an update that arrived during a run, again after a
 * failure, and in a hidden tab only once it is shown.
 */
export function createWatch(fetcher: Fetcher): Watch {
  const backoff = new Backoff();
  const stopping = new AbortController();
  const stopped = stopping.signal;
  let newest: TopicUpdate | undefined;
  let isRequested = false;
  /** During a run, and the pause after it. */
  let isBusy = false;
  /** Content fetched before the relay confirms the version may be older than that. */
  let isUnconfirmed = false;
  let controller: AbortController | undefined;
  let first: ReturnType<typeof setTimeout> | undefined;
  let next: ReturnType<typeof setTimeout> | undefined;
  let spread: ReturnType<typeof setTimeout> | undefined;
  /** When `spread` fires. */
  let dueAtMs = 0;
  let slow: ReturnType<typeof setTimeout> | undefined;

  function request(): void {
    clearTimeout(first);
    isRequested = true;
    void run();
  }

  async function run(): Promise<void> {
    if (isBusy || stopped.aborted || !isRequested || globalThis.document?.hidden) return;
    isBusy = true;
    isRequested = false;
    const update = newest;
    newest = undefined;
    controller = new AbortController();
    const { signal } = controller;
    next = setTimeout(() => controller?.abort(), FETCH_TIMEOUT_MS);
    let pauseMs = 0;
    try {
      await fetcher({ signal, update });
      backoff.reset();
    } catch {
      isRequested = true;
      newest ??= update;
      pauseMs = backoff.nextMs();
    }
    clearTimeout(next);
    if (stopped.aborted) return;
    next = setTimeout(() => {
      isBusy = false;
      void run();
    }, pauseMs);
  }

  function status(current: Status): void {
    if (current === 'live') {
      clearTimeout(slow);
      slow = undefined;
    } else {
      slow ??= setTimeout(
        () => {
          slow = undefined;
          request();
          status('offline');
        },
        SLOW_FETCH_MS * (1 + Math.random()),
      );
    }
  }

  globalThis.document?.addEventListener('visibilitychange', run, { signal: stopped });
  return {
    start() {
      isUnconfirmed = true;
      first = setTimeout(request, FIRST_FETCH_TIMEOUT_MS);
    },
    subscribed() {
      if (isUnconfirmed) request();
      isUnconfirmed = false;
    },
    updated(update) {
      clearTimeout(first);
      newest = update;
      const spreadMs = update.spread ?? 0;
      const nowMs = performance.now();
      // A time that an earlier update has chosen stays if it is soon enough: with a new one for each update, clients would
      // run early instead of evenly spread.
      if (spread && dueAtMs <= nowMs + spreadMs) return;
      // Uniformly random, so that a million clients which are notified at once do not fetch at once.
      const delayMs = spreadMs * Math.random();
      dueAtMs = nowMs + delayMs;
      clearTimeout(spread);
      spread = setTimeout(() => {
        spread = undefined;
        request();
      }, delayMs);
    },
    status,
    stop() {
      stopping.abort();
      for (const timer of [first, next, spread, slow]) clearTimeout(timer);
      controller?.abort();
    },
  };
}
