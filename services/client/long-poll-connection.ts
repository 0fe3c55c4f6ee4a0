import { mayRetry } from '../shared/protocol/close-codes.ts';
import { readProblem, tokenHeader } from './http-transport.ts';
import {
  LONG_POLL_S,
  MAX_LONG_POLLS,
  POLL_PAUSE_MS,
  POLL_PAUSE_PER_TOPIC_MS,
  PONG_TIMEOUT_MS,
  UPDATE_PAUSE_MS,
} from './timings.ts';
import { ABNORMAL_CLOSURE, type ConnectionOptions, type TokenConnection } from './transport.ts';

/** Opens a line that asks for each topic anew as soon as it was answered, and lets the relay wait for news. */
export function openLongPoll(options: ConnectionOptions): TokenConnection {
  const { url, topics, message, closed } = options;
  const requests = new Map<string, AbortController>();
  let { token } = options;
  let fresh = true;

  function setFresh(isFresh: boolean): void {
    fresh = isFresh;
    message({ type: 'freshness', fresh });
  }

  async function poll(topic: string, signal: AbortSignal): Promise<void> {
    for (let isAnswered = false; ; ) {
      const known = topics.get(topic) ?? null;
      const waits = isAnswered && fresh && requests.size <= MAX_LONG_POLLS;
      const askedAtMs = Date.now();
      const headers = tokenHeader(token);
      if (known !== null) headers['If-None-Match'] = `"${known}"`;
      if (waits) headers.Prefer = `wait=${LONG_POLL_S}`;
      // One dead request among others that are answered is nothing that the line as a whole would notice.
      const patience = setTimeout(() => start([topic]), (waits ? LONG_POLL_S * 1000 : 0) + PONG_TIMEOUT_MS);
      const asked = fetch(`${url}/topics/${encodeURIComponent(topic)}`, { signal, headers });
      const response = await asked.finally(() => clearTimeout(patience));
      let isNews = false;
      let mayGoOn = waits ? Date.now() - askedAtMs > LONG_POLL_S * 500 : !isAnswered;
      if (response.ok || response.status === 304) {
        const register = response.ok ? await response.json() : { version: known };
        if (signal.aborted) return;
        isNews = register.version !== known;
        message({ type: 'subscribed', topics: { [topic]: register.version } });
        // Only a relay that cannot vouch for what it says sends what we have.
        setFresh(isNews || !response.ok);
        isAnswered = true;
        if (isNews && known !== null && !signal.aborted) message({ type: 'update', ...register });
      } else {
        const [code, closeCode] = await readProblem(response);
        if (signal.aborted) return;
        if (code !== 'not_fresh') return refuse(topic, code, closeCode);
        setFresh(false);
      }
      mayGoOn &&= fresh && requests.size <= MAX_LONG_POLLS;
      const pollMs = Math.max(POLL_PAUSE_MS, requests.size * POLL_PAUSE_PER_TOPIC_MS) * (0.5 + Math.random() / 2);
      await pause(isNews ? UPDATE_PAUSE_MS : mayGoOn ? 0 : pollMs, signal);
      if (signal.aborted) return;
    }
  }

  function refuse(topic: string, code: string | undefined, closeCode: number): void {
    requests.delete(topic);
    if (code) message({ type: 'error', code, topic });
    if (mayRetry(closeCode) || requests.size === 0) closed(closeCode, '');
  }

  function stop(names: Iterable<string>): void {
    for (const topic of names) {
      requests.get(topic)?.abort();
      requests.delete(topic);
    }
  }

  /** Asks for these topics anew, at once. */
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
    subscribe: (asked) => start(asked.keys()),
    unsubscribe: stop,
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
