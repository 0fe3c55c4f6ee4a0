import { DRAIN } from '../shared/protocol/close-codes.ts';
import { createEventReader } from './event-stream.ts';
import { readProblem, tokenHeader } from './http-transport.ts';
import { MAX_SSE_TOPICS } from './timings.ts';
import { ABNORMAL_CLOSURE, type ConnectionOptions, type TokenConnection } from './transport.ts';

/** Opens a line over Server-Sent Events. Whatever changes what is asked for makes the stream anew, from where it was. */
export function openSse(options: ConnectionOptions): TokenConnection {
  const { url, topics, message, closed } = options;
  let { token } = options;
  let stream: AbortController | undefined;

  async function read(signal: AbortSignal): Promise<void> {
    /** Said by a relay that wants to be left alone for a while. */
    let away: string | undefined;
    let closeCode = ABNORMAL_CLOSURE;
    const take = createEventReader(({ event, data, retry }) => {
      if (signal.aborted) return;
      away = event === 'subscribed' ? undefined : (retry ?? away);
      if (event === 'ping') message({ type: 'pong' });
      else if (data) message(JSON.parse(data));
    });
    try {
      // No topic has a character that would have to be escaped here, and what is not known is empty.
      const names = [...topics.keys()].map((topic) => `topic=${topic}&`).join('');
      const address = `${url}/events?${names}since=${[...topics.values()].join()}`;
      const response = await fetch(address, { signal, headers: tokenHeader(token) });
      if (response.ok && response.body) {
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          take(value);
        }
      } else {
        const [code, meaning] = await readProblem(response);
        closeCode = meaning;
        if (code && !signal.aborted) message({ type: 'error', code });
      }
    } catch {
      // It ended in the middle.
    }
    if (signal.aborted) return;
    if (away) closed(DRAIN, away);
    else closed(closeCode, '');
  }

  function open(): void {
    stream?.abort();
    stream = new AbortController();
    const { signal } = stream;
    // What changes within one turn makes one stream.
    queueMicrotask(() => {
      if (signal.aborted) return;
      if (topics.size > 0) void read(signal);
      else message({ type: 'pong' });
    });
  }

  open();
  return {
    subscribe() {
      // Another way to the relay may take more.
      if (topics.size > MAX_SSE_TOPICS) closed(DRAIN, '0');
      else open();
    },
    unsubscribe: open,
    ping: open,
    auth(renewed) {
      token = renewed;
      open();
    },
    close: () => stream?.abort(),
  };
}
