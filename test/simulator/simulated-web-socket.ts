import type { Topic } from '../../services/shared/update/topic.ts';
import type { ClientLine, Entrance } from './entrance.ts';

type Handler = ((event: unknown) => void) | null;

/** Creates a class like the browser's WebSocket, for the client library, on simulated lines. */
export function createSimulatedWebSocket(deps: {
  entrance: Entrance;
  /** A new line is made. */
  opened(line: ClientLine): void;
  /** It is over. */
  ended(line: ClientLine): void;
  /** A relay has answered for these topics, with a number or without; called before the library hears of it. */
  subscribed(topics: readonly Topic[]): void;
}): unknown {
  return class SimulatedWebSocket {
    readyState = 0;
    onopen: Handler = null;
    onmessage: Handler = null;
    onclose: Handler = null;
    onerror: Handler = null;
    readonly #line: ClientLine;

    constructor(url: string) {
      const { pathname, search } = new URL(url);
      this.#line = deps.entrance.connect(pathname, search.slice(1), {
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
          deps.ended(this.#line);
          this.readyState = 3;
          this.onclose?.({ code, reason });
        },
      });
      deps.opened(this.#line);
    }

    send(text: string): void {
      this.#line.say(text);
    }

    close(): void {
      this.readyState = 2;
      deps.ended(this.#line);
      this.#line.hangUp(1005);
    }
  };
}
