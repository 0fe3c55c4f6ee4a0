import { DRAIN, mayRetry, UNAUTHORIZED } from '../shared/protocol/close-codes.ts';
import type { ServerMessage } from '../shared/protocol/server-message.ts';
import { Backoff } from './backoff.ts';
import {
  BUSY_RELAY_TRIES,
  CONNECT_TIMEOUT_MS,
  MAX_RETRY_AFTER_MS,
  PING_AFTER_MS,
  PONG_TIMEOUT_MS,
  STABLE_MS,
} from './timings.ts';
import {
  ABNORMAL_CLOSURE,
  type Connection,
  type OpenConnection,
  type Source,
  type Status,
  type TopicVersions,
} from './transport.ts';

/** What a connector needs. */
export interface ConnectorDeps {
  readonly url: string;
  readonly open: OpenConnection;
  /** What to listen to, with what is known: kept up to date by its owner. */
  readonly topics: TopicVersions;
  message(message: ServerMessage): void;
  status(status: Status): void;
}

/** Keeps one line to a relay, never two, and makes it anew where it ends. */
export function createConnector(deps: ConnectorDeps): Source {
  const backoff = new Backoff();
  const listening = new AbortController();
  let line: Connection | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let unanswered = new Set<string>();
  let heard = false;
  let refused = false;
  let provedAtMs = 0;
  let fresh = true;
  /** Sent away by the relay: not even a sign of the browser brings it back earlier. */
  let away = false;

  function connect(): void {
    if (line || listening.signal.aborted) return;
    clearTimeout(retry);
    retry = undefined;
    away = heard = refused = false;
    provedAtMs = 0;
    fresh = true;
    unanswered = new Set(deps.topics.keys());
    deps.status('connecting');
    line = deps.open({ ...deps, message, closed: lost });
    listen(CONNECT_TIMEOUT_MS);
  }

  function message(message: ServerMessage): void {
    if (!line) return;
    const { type } = message;
    heard = true;
    listen(PING_AFTER_MS);
    let proves = type !== 'freshness';
    if (type === 'freshness') fresh = message.fresh;
    if (type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version === null) continue;
        unanswered.delete(topic);
        fresh = true; // only a fresh relay says a number, and a stream that was made anew says nothing else of that
      }
    }
    if (type === 'error') {
      proves = unanswered.delete(message.topic ?? '');
      refused = true;
    }
    if (proves && unanswered.size === 0) {
      provedAtMs ||= Date.now();
      if (Date.now() - provedAtMs >= STABLE_MS) backoff.reset();
    }
    deps.message(message);
    if (line) deps.status(!fresh ? 'stale' : provedAtMs ? 'live' : 'connecting');
  }

  /** Waits for the next sign of life; one timer that is looked at late is cheaper than one a message. */
  function listen(ms: number): void {
    clearTimeout(silence);
    silence = setTimeout(() => (heard ? probe() : lost(ABNORMAL_CLOSURE, '')), ms);
  }

  function probe(): void {
    line?.ping();
    clearTimeout(silence);
    silence = setTimeout(() => lost(ABNORMAL_CLOSURE, ''), heard ? PONG_TIMEOUT_MS : CONNECT_TIMEOUT_MS);
  }

  function lost(code: number, reason: string): void {
    end();
    const isFinal = !mayRetry(code);
    if (!isFinal) {
      // Whatever else is said than that a line was lost, or will be, is a reason to wait.
      const isPatient = code > ABNORMAL_CLOSURE && code !== DRAIN;
      away = code === DRAIN && /^\d+$/.test(reason);
      const delayMs = away
        ? Math.min(Number(reason), MAX_RETRY_AFTER_MS)
        : backoff.nextMs(isPatient ? BUSY_RELAY_TRIES : 0);
      retry = setTimeout(connect, delayMs);
    }
    deps.status('offline');
    if (isFinal && !refused) {
      deps.message({ type: 'error', code: code === UNAUTHORIZED ? 'unauthorized' : 'topic_forbidden' });
    }
  }

  function end(): void {
    clearTimeout(silence);
    const ended = line;
    line = undefined;
    ended?.close();
  }

  function wake(): void {
    if (line) probe();
    else if (retry !== undefined && !away) connect();
  }

  const { signal } = listening;
  globalThis.addEventListener?.('online', wake, { signal });
  globalThis.document?.addEventListener('visibilitychange', () => document.hidden || wake(), { signal });
  return {
    connect,
    wake,
    subscribe(topics) {
      if (!provedAtMs) for (const topic of topics.keys()) unanswered.add(topic);
      if (line) line.subscribe(topics);
      else if (retry === undefined) connect();
    },
    unsubscribe(topics) {
      for (const topic of topics) unanswered.delete(topic);
      line?.unsubscribe(topics);
      // The answer that was waited for may not come any more: another one shows as well that the relay is there.
      if (!provedAtMs && unanswered.size === 0) line?.ping();
    },
    close() {
      listening.abort();
      clearTimeout(retry);
      end();
      deps.status('offline');
    },
  };
}
