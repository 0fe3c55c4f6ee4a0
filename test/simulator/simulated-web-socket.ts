import type { Topic } from '../../services/shared/update/topic.ts';
import type { ClientConnection, LoadBalancer } from './load-balancer.ts';

type Handler = ((event: unknown) => void) | null;

/** Creates a `WebSocket` class for the client library, on simulated connections. */
export function createSimulatedWebSocket(deps: {
  loadBalancer: LoadBalancer;
  /** A connection was opened. */
  opened(connection: ClientConnection): void;
  /** It was closed. */
  ended(connection: ClientConnection): void;
  /** A relay has confirmed these topics, with or without a version. Called before the library receives the message. */
  subscribed(topics: readonly Topic[]): void;
}): unknown {
  return class SimulatedWebSocket {
    readyState = 0;
    onopen: Handler = null;
    onmessage: Handler = null;
    onclose: Handler = null;
    onerror: Handler = null;
    readonly #connection: ClientConnection;

    constructor(url: string) {
      const { pathname, search } = new URL(url);
      this.#connection = deps.loadBalancer.connect(pathname, search.slice(1), {
        opened: () => {
          this.readyState = 1;
          this.onopen?.({});
        },
        message: (data) => {
          const message: { type: string; topics: object } = JSON.parse(data);
          if (this.onmessage && message.type === 'subscribed') deps.subscribed(Object.keys(message.topics) as Topic[]);
          this.onmessage?.({ data });
        },
        closed: (code, reason) => {
          deps.ended(this.#connection);
          this.readyState = 3;
          this.onclose?.({ code, reason });
        },
      });
      deps.opened(this.#connection);
    }

    send(text: string): void {
      this.#connection.send(text);
    }

    close(): void {
      this.readyState = 2;
      deps.ended(this.#connection);
      this.#connection.close(1005);
    }
  };
}
