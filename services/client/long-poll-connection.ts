import { mayRetry } from '../shared/protocol/close-codes.ts';
import { readProblem, tokenHeader } from './http-transport.ts';
import { LONG_POLL_S, POLL_PAUSE_MS, POLL_PAUSE_PER_TOPIC_MS, PONG_TIMEOUT_MS, UPDATE_PAUSE_MS } from './timings.ts';
import { ABNORMAL_CLOSURE, type ConnectionOptions, type TransportConnection } from './transport.ts';

/**
 * The most topics that are long-polled. Browsers open six connections to one HTTP/1.1 server: the rest is for the page.
 * With more topics no request waits, and each topic is polled every few seconds.
 */
export const MAX_LONG_POLLS = 4;

/** Opens a connection that polls each topic with requests of its own, which the relay holds until the topic changes. */
export function openLongPoll(options: ConnectionOptions): TransportConnection {
  const { url, topics, message, closed } = options;
  const requests = new Map<string, AbortController>();
  let { token } = options;
  /** Topics whose last response came from a stale relay. */
  const stale = new Set<string>();

  function setFresh(topic: string, isFresh: boolean): void {
    stale[isFresh ? 'delete' : 'add'](topic);
    message({ type: 'freshness', fresh: stale.size === 0 });
  }

  async function poll(topic: string, signal: AbortSignal): Promise<void> {
    for (let hasResponded = false; ; ) {
      const known = topics.get(topic) ?? null;
      const wasStale = stale.has(topic);
      const waits = hasResponded && !wasStale && requests.size <= MAX_LONG_POLLS;
      const sentAtMs = Date.now();
      const headers = tokenHeader(token);
      if (known !== null) headers['If-None-Match'] = `"${known}"`;
      if (waits) headers.Prefer = `wait=${LONG_POLL_S}`;
      // While other requests are answered, the silence of the whole connection would not reveal that this one is dead.
      const timeout = setTimeout(() => start([topic]), (waits ? LONG_POLL_S * 1000 : 0) + PONG_TIMEOUT_MS);
      // Browsers and proxies would resolve dots and merge slashes in a path.
      const name = /(^|\/)[./]/.test(topic) ? `?topic=${topic}` : encodeURIComponent(topic);
      const request = fetch(`${url}/topics/${name}`, { signal, headers });
      const response = await request.finally(() => clearTimeout(timeout));
      let hasChanged = false;
      // Without a pause only if the relay really held the request, or to let it hold the next one.
      const wasHeld = !waits || Date.now() - sentAtMs > LONG_POLL_S * 500;
      if (response.ok || response.status === 304) {
        const register = response.ok ? await response.json() : { version: known };
        if (signal.aborted) return;
        if (response.ok && register.topic !== topic) return closed(ABNORMAL_CLOSURE, ''); // a proxy changed the name
        hasChanged = register.version !== known;
        message({ type: 'subscribed', topics: { [topic]: register.version } });
        // Only a stale relay sends a version that the client has; a fresh one responds 304.
        setFresh(topic, hasChanged || !response.ok);
        hasResponded = true;
        if (hasChanged && known !== null && !signal.aborted) message({ type: 'update', ...register });
      } else {
        const [code, closeCode] = await readProblem(response);
        if (signal.aborted) return;
        if (code !== 'not_fresh') return reject(topic, code, closeCode);
        setFresh(topic, false);
      }
      const mayRepeat = wasHeld && !stale.has(topic) && requests.size <= MAX_LONG_POLLS;
      const pollMs = Math.max(POLL_PAUSE_MS, requests.size * POLL_PAUSE_PER_TOPIC_MS) * (0.5 + Math.random() / 2);
      await pause(hasChanged ? UPDATE_PAUSE_MS : mayRepeat ? 0 : pollMs, signal);
      if (signal.aborted) return;
    }
  }

  function reject(topic: string, code: string | undefined, closeCode: number): void {
    forget(topic);
    if (code) message({ type: 'error', code, topic });
    if (mayRetry(closeCode) || requests.size === 0) closed(closeCode, '');
  }

  function forget(topic: string): void {
    requests.delete(topic);
    if (stale.has(topic)) setFresh(topic, true);
  }

  function stop(names: Iterable<string>): void {
    for (const topic of names) {
      requests.get(topic)?.abort();
      requests.delete(topic);
    }
  }

  /** Polls these topics at once, instead of their current requests. */
  function start(names: Iterable<string>): void {
    for (const topic of [...names]) {
      stop([topic]);
      const request = new AbortController();
      const { signal } = request;
      requests.set(topic, request);
      queueMicrotask(() => {
        if (!signal.aborted) poll(topic, signal).catch(() => signal.aborted || closed(ABNORMAL_CLOSURE, ''));
      });
    }
    if (topics.size === 0) queueMicrotask(() => message({ type: 'pong' }));
  }

  start(topics.keys());
  return {
    subscribe: (added) => start(added.keys()),
    unsubscribe(names) {
      stop(names);
      names.forEach(forget);
    },
    ping: () => start(requests.keys()),
    auth(renewed) {
      token = renewed;
      start(requests.keys());
    },
    close: () => stop(requests.keys()),
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.onabort = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
