import type { UpdateMessage } from '../shared/protocol/server-message.ts';
import { parseVersions, type TopicVersion } from '../shared/protocol/version-header.ts';
import { Backoff } from './backoff.ts';
import { BEHIND_TRIES, FETCH_TIMEOUT_MS, FIRST_FETCH_TIMEOUT_MS, SLOW_FETCH_MS } from './timings.ts';
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

/**
 * Fetches and shows the content of a topic. If it throws or rejects, it runs again after a growing delay. It may return the
 * value of the response header `Heliograph-Version`, which `Heliograph.fetch` reads by itself.
 */
export type Fetcher = (reason: FetchReason) => unknown;

/** A failure of the app: its fetcher failed, or its content is older than an update. */
export type WatchError =
  | { readonly code: 'fetch_failed'; readonly error: unknown }
  | { readonly code: 'content_behind'; readonly version: number; readonly expected: number };

/** Dependencies of a watch. */
export interface WatchDeps {
  readonly topic: string;
  readonly fetcher: Fetcher;
  /** The version that the page shows already; 0 if unknown. */
  readonly since: number;
  /** Whether runs have to wait: a write is in progress. */
  isHeld(): boolean;
  report(error: WatchError): void;
}

/** A version that the page shows, or the response to a request with this signal. */
export type KnownVersion = TopicVersion & { readonly signal?: AbortSignal };

/** Decides when a fetcher runs. Ignores what is about other topics. */
export interface Watch {
  /** Requests the first run: as soon as the relay confirms the topic's version, and after 1 s at the latest. */
  start(): void;
  /** The relay confirmed the version of a topic: content fetched from now on is at least as new. */
  subscribed(confirmed: TopicVersion): void;
  /** Requests a run after a random part of the update's spread, or earlier if one is due within it already. */
  updated(update: TopicUpdate): void;
  /**
   * The page shows a version without a run: ignored unless it had the version before, if that is given. With a `signal`, a
   * response has the content of that version: ignored unless the signal is that of the current run.
   */
  known(known: KnownVersion): void;
  /** Runs now if a run is due and nothing holds it. */
  wake(): void;
  /** Repeats runs every 15 to 30 s while the status is not `live`. */
  status(status: Status): void;
  /** Ends the watch, and aborts a run. */
  stop(): void;
}

/**
 * Creates a watch. It runs the fetcher once at a time, once more after an update that arrived during a run, again after a
 * failure or a response that is older than the update, and in a hidden tab only once it is shown.
 */
export function createWatch({ topic, fetcher, since, isHeld, report }: WatchDeps): Watch {
  const backoff = new Backoff();
  const stopping = new AbortController();
  const stopped = stopping.signal;
  /** The page's content is at least this new; 0 if unknown. */
  let shown = since;
  /** The newest version that the relay has named. */
  let notified = since;
  /** The newest update that no run has handled. A run for it is due once `spread` has fired. */
  let newest: TopicUpdate | undefined;
  let isRequested = false;
  /** During a run, and the pause after it. */
  let isBusy = false;
  /** The oldest version that a response of the current run named; 0 if none did. */
  let read = 0;
  /** The version that the response of the current run must have at least. */
  let expected = 0;
  /** The version of the last response that was too old. */
  let behind = 0;
  /** Content fetched before the relay confirms the version may be older than that. */
  let isUnconfirmed = false;
  /** Of the current run. */
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
    if (isBusy || stopped.aborted || isHeld() || globalThis.document?.hidden) return;
    if (!isRequested && (spread || !newest)) return;
    isBusy = true;
    isRequested = false;
    const update = newest;
    newest = undefined;
    read = 0;
    expected = Math.max(notified, shown);
    controller = new AbortController();
    const { signal } = controller;
    next = setTimeout(() => controller?.abort(), FETCH_TIMEOUT_MS);
    let failure: WatchError | undefined;
    try {
      const result = await fetcher({ signal, update });
      for (const named of parseVersions(result)) known({ ...named, signal });
    } catch (error) {
      failure = { code: 'fetch_failed', error };
    }
    controller = undefined;
    clearTimeout(next);
    if (stopped.aborted) return;
    if (!failure && read && read < expected) {
      failure = { code: 'content_behind', version: read, expected };
      shown = read;
      // A response that is newer than the one before is progress: with frequent updates it may never be the newest.
      if (read > behind) backoff.reset();
      behind = read;
    }
    let pauseMs = 0;
    if (failure) {
      report(failure);
      if (failure.code === 'fetch_failed' || backoff.tries < BEHIND_TRIES) {
        isRequested = true;
        newest ??= update;
        pauseMs = backoff.nextMs();
      } else backoff.reset();
    } else {
      backoff.reset();
      show(read || expected);
    }
    next = setTimeout(() => {
      isBusy = false;
      void run();
    }, pauseMs);
  }

  function known({ topic: named, version, previous = 0, signal }: KnownVersion): void {
    if (named !== topic) return;
    if (signal) {
      if (signal === controller?.signal) read = Math.min(read || version, version);
      return;
    }
    // The response of a run may be older than the page's own write, and replace it: the update causes one more run.
    if (!controller && version > shown && shown >= previous) show(version);
  }

  /** Records that the page shows a version. Updates up to it need no run. */
  function show(version: number): void {
    shown = version;
    if (newest && newest.version <= version) newest = undefined;
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
    subscribed(confirmed) {
      if (!isUnconfirmed || confirmed.topic !== topic) return;
      isUnconfirmed = false;
      notified = confirmed.version;
      request();
    },
    updated(update) {
      if (update.topic !== topic) return;
      // After a loss of data, versions from before it mean nothing. An equal one is for another watch, which had an older one.
      if (update.version < notified) shown = expected = 0;
      notified = update.version;
      if (notified <= shown) return;
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
        void run();
      }, delayMs);
    },
    known,
    wake: () => void run(),
    status,
    stop() {
      stopping.abort();
      for (const timer of [first, next, spread, slow]) clearTimeout(timer);
      controller?.abort();
    },
  };
}
