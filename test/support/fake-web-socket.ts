import type { WebSocketClass } from '../../services/client/websocket-connection.ts';
import type { ServerMessage } from '../../services/shared/protocol/server-message.ts';

type Handler<E> = ((event: E) => void) | null;

/** A WebSocket whose opening, messages and closing the test controls. */
export class FakeWebSocket {
  readonly url: string;
  readyState = 0;
  onopen: Handler<unknown> = null;
  onmessage: Handler<{ data: string }> = null;
  onclose: Handler<{ code: number; reason: string }> = null;
  onerror: Handler<unknown> = null;
  /** The sent messages, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read the fields that they expect
  readonly sent: any[] = [];
  /** The lengths of the sent messages, in bytes. */
  readonly sizes: number[] = [];

  constructor(url: string) {
    this.url = url;
  }

  send(text: string): void {
    if (this.readyState !== 1) throw new DOMException('still connecting', 'InvalidStateError');
    this.sent.push(JSON.parse(text));
    this.sizes.push(Buffer.byteLength(text));
  }

  close(): void {
    this.readyState = 3;
  }

  opens(): void {
    this.readyState = 1;
    this.onopen?.({});
  }

  receives(message: ServerMessage | string): void {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  closes(code: number, reason = ''): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

/** Creates a class of fake WebSockets, and the list of its instances, newest last. */
export function createFakeWebSockets(): { WebSocket: WebSocketClass; sockets: FakeWebSocket[] } {
  const sockets: FakeWebSocket[] = [];
  class Recorded extends FakeWebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  return { WebSocket: Recorded as unknown as WebSocketClass, sockets };
}
