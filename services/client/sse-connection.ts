import { DRAIN, REBALANCING } from '../shared/protocol/close-codes.ts';
import { createEventReader } from './event-stream.ts';
import { readProblem, tokenHeader } from './http-transport.ts';
import { ABNORMAL_CLOSURE, type ConnectionOptions, type TransportConnection } from './transport.ts';

/** The most topics that a relay accepts on one event stream. */
export const MAX_SSE_TOPICS = 16;

/** Opens a connection over Server-Sent Events. Each change of topics or token reopens the stream from the known versions. */
export function openSse(options: ConnectionOptions): TransportConnection {
  const { url, topics, triesLeft, message, closed } = options;
  let { token } = options;
  let stream: AbortController | undefined;

  async function read(signal: AbortSignal): Promise<void> {
    /** Sent by a relay that closes the stream: the delay before the next one, in milliseconds. */
    let retryMs: string | undefined;
    let closeCode = ABNORMAL_CLOSURE;
    const parse = createEventReader(({ event, data, retry }) => {
      if (signal.aborted) return;
      retryMs = event === 'subscribed' ? undefined : (retry ?? retryMs);
      if (event === 'ping') message({ type: 'pong' });
      else if (data) {
        // Only a fresh relay states a version, and a reopened stream has no other sign of freshness.
        if (event === 'subscribed' && /":\d/.test(data)) message({ type: 'freshness', fresh: true });
        message(JSON.parse(data));
      }
    });
    try {
      // A topic has no character that must be escaped here, and an unknown version is an empty string.
      const names = [...topics.keys()].map((topic) => `topic=${topic}&`).join('');
      const address = `${url}/events?${names}since=${[...topics.values()].join()}&tries=${triesLeft}`;
      const response = await fetch(address, { signal, headers: tokenHeader(token) });
      if (response.ok && response.body) {
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          parse(value);
        }
      } else {
        const [code, meaning] = await readProblem(response);
        closeCode = meaning;
        if (code && meaning !== REBALANCING && !signal.aborted) message({ type: 'error', code });
      }
    } catch {
      // The stream or the request failed: closed as lost.
    }
    if (signal.aborted) return;
    if (retryMs) closed(DRAIN, retryMs);
    else closed(closeCode, '');
  }

  function reopen(): void {
    stream?.abort();
    stream = new AbortController();
    const { signal } = stream;
    // All changes of one turn of the event loop make one stream.
    queueMicrotask(() => {
      if (signal.aborted) return;
      if (topics.size > 0) void read(signal);
      else message({ type: 'pong' });
    });
  }

  reopen();
  return {
    subscribe() {
      // Another transport may carry more topics.
      if (topics.size > MAX_SSE_TOPICS) closed(DRAIN, '0');
      else reopen();
    },
    unsubscribe: reopen,
    ping: reopen,
    auth(renewed) {
      token = renewed;
      reopen();
    },
    close: () => stream?.abort(),
  };
}
