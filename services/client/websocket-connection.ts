import type { ConnectionOptions, TransportConnection } from './transport.ts';

/** The part of a WebSocket class that is used: the browser's own has it, and that of the `ws` package. */
export type WebSocketClass = new (
  url: string,
) => Pick<WebSocket, 'readyState' | 'send' | 'close'> & {
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
};

/** With this many topics of the greatest length, a message stays below the relay's limit of 16 KiB. */
const TOPICS_PER_MESSAGE = 64;

/** Opens a connection over a WebSocket. */
export function openWebSocket(WebSocket: WebSocketClass, options: ConnectionOptions): TransportConnection {
  let { token } = options;
  const socket = new WebSocket(`${options.url.replace(/^http/, 'ws')}/ws?tries=${options.triesLeft}`);
  const send = (message: unknown) => {
    if (socket.readyState === 1) socket.send(JSON.stringify(message));
  };
  function sendInParts<T>(items: readonly T[], render: (part: readonly T[]) => unknown): void {
    for (let i = 0; i < items.length; i += TOPICS_PER_MESSAGE) send(render(items.slice(i, i + TOPICS_PER_MESSAGE)));
  }
  const connection: TransportConnection = {
    subscribe: (topics) =>
      sendInParts([...topics], (part) => ({ type: 'subscribe', topics: Object.fromEntries(part) })),
    unsubscribe: (topics) => sendInParts(topics, (part) => ({ type: 'unsubscribe', topics: part })),
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
    // In a message instead of the URL, because proxies log URLs.
    if (token !== undefined) connection.auth(token);
    connection.subscribe(options.topics);
    // Without topics the relay would send nothing, and the connection would count as failed.
    if (options.topics.size === 0) connection.ping();
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
  // `onclose` follows; in Node an error event without a listener would end the process.
  socket.onerror = () => {};
  return connection;
}
