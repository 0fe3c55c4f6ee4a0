import type { Line, LineOptions } from './transport.ts';

/** What is needed of a WebSocket: the browser's own, or the class of the `ws` package. */
export type WebSocketClass = new (
  url: string,
) => Pick<WebSocket, 'readyState' | 'send' | 'close'> & {
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
};

/** A subscribe frame with this many of the longest topics stays below the relay's limit of 16 KiB. */
const TOPICS_PER_FRAME = 64;

/** Opens a line over a WebSocket. */
export function openWebSocket(WebSocket: WebSocketClass, options: LineOptions): Line {
  const socket = new WebSocket(`${options.url.replace(/^http/, 'ws')}/ws`);
  const send = (message: unknown) => {
    if (socket.readyState === 1) socket.send(JSON.stringify(message));
  };
  const line: Line = {
    subscribe(topics) {
      const entries = [...topics];
      for (let i = 0; i < entries.length; i += TOPICS_PER_FRAME) {
        send({ type: 'subscribe', topics: Object.fromEntries(entries.slice(i, i + TOPICS_PER_FRAME)) });
      }
    },
    unsubscribe: (topics) => send({ type: 'unsubscribe', topics }),
    ping: () => send({ type: 'ping' }),
    auth: (token) => send({ type: 'auth', token }),
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
  socket.onopen = () => {
    // Not in the URL, which proxies write down.
    if (options.token !== undefined) line.auth(options.token);
    line.subscribe(options.topics);
    // Without topics nothing would be said that shows whether the relay is there.
    if (options.topics.size === 0) line.ping();
  };
  socket.onmessage = (event: { data: unknown }) => {
    let message: unknown;
    try {
      message = JSON.parse(String(event.data));
    } catch {
      return;
    }
    if (message) options.message(message as Parameters<LineOptions['message']>[0]);
  };
  socket.onclose = (event: { code: number; reason: string }) => options.closed(event.code, event.reason);
  // `onclose` follows; in Node an error without a listener would end the process.
  socket.onerror = () => {};
  return line;
}
