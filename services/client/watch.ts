import type { UpdateMessage } from '../shared/protocol/server-message.ts';
import { Backoff } from './backoff.ts';
import { Spread } from './spread.ts';
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

/** For so long a first run waits for the relay to say what the topic's number is: what is fetched then is not older. */
const START_MS = 1000;
/** While nobody can be relied on to say when: the shortest and the longest wait between two runs. */
const SLOW_MIN_MS = 15_000;
const SLOW_MAX_MS = 30_000;
const MAX_RUN_MS = 30_000;

/** What decides when to fetch. */
export interface Watch {
  /** Runs for the first time soon, if nothing else makes it run until then. */
  start(): void;
  /** Runs after the update's spread. */
  told(update: TopicUpdate): void;
  /** Runs now, or as soon as it may. */
  now(): void;
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
  const spread = new Spread(now);
  let newest: TopicUpdate | undefined;
  let isWanted = false;
  /** A run is under way, or waits after one that failed. */
  let isBusy = false;
  let isStopped = false;
  let controller: AbortController | undefined;
  let first: ReturnType<typeof setTimeout> | undefined;
  let next: ReturnType<typeof setTimeout> | undefined;
  let slow: ReturnType<typeof setTimeout> | undefined;

  function now(): void {
    clearTimeout(first);
    isWanted = true;
    void run();
  }

  async function run(): Promise<void> {
    if (isBusy || isStopped || !isWanted || globalThis.document?.hidden) return;
    isBusy = true;
    isWanted = false;
    const update = newest;
    newest = undefined;
    controller = new AbortController();
    const { signal } = controller;
    next = setTimeout(() => controller?.abort(), MAX_RUN_MS);
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
    if (isStopped) return;
    if (restMs > 0) next = setTimeout(done, restMs);
    else done();
  }

  function done(): void {
    isBusy = false;
    void run();
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
        SLOW_MIN_MS + Math.random() * (SLOW_MAX_MS - SLOW_MIN_MS),
      );
    }
  }

  globalThis.document?.addEventListener('visibilitychange', run);
  return {
    start() {
      first = setTimeout(now, START_MS);
    },
    told(update) {
      clearTimeout(first);
      newest = update;
      spread.within(update.spread);
    },
    now,
    status,
    stop() {
      isStopped = true;
      globalThis.document?.removeEventListener('visibilitychange', run);
      for (const timer of [first, next, slow]) clearTimeout(timer);
      spread.cancel();
      controller?.abort();
    },
  };
}
