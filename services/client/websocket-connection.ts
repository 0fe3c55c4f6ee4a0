import { TOPICS_PER_MESSAGE } from './timings.ts';
import type { ConnectionOptions, TokenConnection } from './transport.ts';

/** What is needed of a WebSocket: the browser's own, or the class of the `ws` package. */
export type WebSocketClass = new (
  url: string,
) => Pick<WebSocket, 'readyState' | 'send' | 'close'> & {
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
};

/** Opens a line over a WebSocket. */
export function openWebSocket(WebSocket: WebSocketClass, options: ConnectionOptions): TokenConnection {
  let { token } = options;
  const socket = new WebSocket(`${options.url.replace(/^http/, 'ws')}/ws`);
  const send = (message: unknown) => {
    if (socket.readyState === 1) socket.send(JSON.stringify(message));
  };
  function inFrames<T>(items: readonly T[], render: (part: readonly T[]) => unknown): void {
    for (let i = 0; i < items.length; i += TOPICS_PER_MESSAGE) send(render(items.slice(i, i + TOPICS_PER_MESSAGE)));
  }
  const line: TokenConnection = {
    subscribe: (topics) => inFrames([...topics], (part) => ({ type: 'subscribe', topics: Object.fromEntries(part) })),
    unsubscribe: (topics) => inFrames(topics, (part) => ({ type: 'unsubscribe', topics: part })),
    ping: () => send({ type: 'ping' }),
    auth(renewed) {
      token = renewed;
      send({ type: 'auth', token });
    },
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
  socket.onopen = () => {
    // Not in the URL, which proxies write down.
    if (token !== undefined) line.auth(token);
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
    if (message) options.message(message as Parameters<ConnectionOptions['message']>[0]);
  };
  socket.onclose = (event: { code: number; reason: string }) => options.closed(event.code, event.reason);
  // `onclose` follows; in Node an error without a listener would end the process.
  socket.onerror = () => {};
  return line;
}
