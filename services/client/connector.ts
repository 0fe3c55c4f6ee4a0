import { DRAIN, mayRetry, REBALANCING, UNAUTHORIZED } from '../shared/protocol/close-codes.ts';
import type { ServerMessage } from '../shared/protocol/server-message.ts';
import { Backoff } from './backoff.ts';
import {
  BUSY_RELAY_TRIES,
  CONNECT_TIMEOUT_MS,
  MAX_RETRY_AFTER_MS,
  PING_AFTER_MS,
  PONG_TIMEOUT_MS,
  REBALANCING_TRIES,
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

/** Dependencies of a connector. */
export interface ConnectorDeps {
  readonly url: string;
  readonly open: OpenConnection;
  /** The subscribed topics with their known versions; the owner keeps the map up to date. */
  readonly topics: TopicVersions;
  message(message: ServerMessage): void;
  /** Called with the current status, possibly the same one repeatedly. */
  status(status: Status): void;
}

/** Creates a source that keeps at most one connection to a relay and replaces it when it ends or goes silent. */
export function createConnector(deps: ConnectorDeps): Source {
  const backoff = new Backoff();
  const lifetime = new AbortController();
  let connection: Connection | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  /** Topics to which the relay has not responded yet. */
  let unconfirmed = new Set<string>();
  let hasReceived = false;
  let hasError = false;
  /** When the relay had responded to all topics; 0 before. */
  let confirmedAtMs = 0;
  let fresh = true;
  /** A draining relay set the time of the retry; not even a wake-up brings it forward. */
  let isRetryFixed = false;
  let triesLeft = REBALANCING_TRIES;

  function connect(): void {
    if (connection || lifetime.signal.aborted) return;
    clearTimeout(retry);
    retry = undefined;
    isRetryFixed = hasReceived = hasError = false;
    confirmedAtMs = 0;
    fresh = true;
    unconfirmed = new Set(deps.topics.keys());
    deps.status('connecting');
    connection = deps.open({ ...deps, triesLeft, message, closed: lost });
    watchSilence(CONNECT_TIMEOUT_MS);
  }

  function message(message: ServerMessage): void {
    if (!connection) return;
    const { type } = message;
    hasReceived = true;
    watchSilence(PING_AFTER_MS);
    let confirms = type !== 'freshness';
    if (type === 'freshness') fresh = message.fresh;
    if (type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version !== null) unconfirmed.delete(topic);
      }
    }
    if (type === 'error') {
      confirms = unconfirmed.delete(message.topic ?? '');
      hasError = true;
    }
    if (confirms && unconfirmed.size === 0) {
      confirmedAtMs ||= Date.now();
      if (Date.now() - confirmedAtMs >= STABLE_MS) backoff.reset();
    }
    deps.message(message);
    if (connection) deps.status(!fresh ? 'stale' : confirmedAtMs ? 'live' : 'connecting');
  }

  /** Waits for the next message; pings after `ms` without one, or gives up if none has ever arrived. */
  function watchSilence(ms: number): void {
    clearTimeout(silence);
    silence = setTimeout(() => (hasReceived ? probe() : lost()), ms);
  }

  function probe(): void {
    connection?.ping();
    clearTimeout(silence);
    silence = setTimeout(lost, hasReceived ? PONG_TIMEOUT_MS : CONNECT_TIMEOUT_MS);
  }

  function lost(code = ABNORMAL_CLOSURE, reason = ''): void {
    disconnect();
    // The next attempt may reach another relay. After any other end as usual, or an outage would cause as many attempts at once.
    if (code === REBALANCING && triesLeft > 0) {
      triesLeft -= 1;
      connect();
      return;
    }
    triesLeft = REBALANCING_TRIES;
    const isFinal = !mayRetry(code);
    if (!isFinal) {
      // Any other code says that the relay does not want this client back soon.
      const isBusy = code > ABNORMAL_CLOSURE && code !== DRAIN;
      const retryMs = Number(reason || NaN);
      isRetryFixed = code === DRAIN && retryMs >= 0;
      const delayMs = isRetryFixed
        ? Math.min(retryMs, MAX_RETRY_AFTER_MS)
        : backoff.nextMs(isBusy ? BUSY_RELAY_TRIES : 0);
      retry = setTimeout(connect, delayMs);
    }
    deps.status('offline');
    if (isFinal && !hasError) {
      deps.message({ type: 'error', code: code === UNAUTHORIZED ? 'unauthorized' : 'topic_forbidden' });
    }
  }

  function disconnect(): void {
    clearTimeout(silence);
    const ended = connection;
    connection = undefined;
    ended?.close();
  }

  function wake(): void {
    if (connection) probe();
    else if (retry !== undefined && !isRetryFixed) connect();
  }

  const { signal } = lifetime;
  globalThis.addEventListener?.('online', wake, { signal });
  globalThis.document?.addEventListener('visibilitychange', () => document.hidden || wake(), { signal });
  return {
    connect,
    wake,
    subscribe(topics) {
      if (!confirmedAtMs) for (const topic of topics.keys()) unconfirmed.add(topic);
      if (connection) connection.subscribe(topics);
      else if (retry === undefined) connect();
    },
    unsubscribe(topics) {
      for (const topic of topics) unconfirmed.delete(topic);
      connection?.unsubscribe(topics);
      // The relay may have nothing left to respond to: a pong confirms the connection as well.
      if (!confirmedAtMs && unconfirmed.size === 0) connection?.ping();
    },
    close() {
      lifetime.abort();
      clearTimeout(retry);
      disconnect();
      deps.status('offline');
    },
  };
}
