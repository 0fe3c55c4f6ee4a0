import type { Socket } from 'node:net';
import { WebSocket as Protocol } from 'ws';
import type { WebSocket, WebSocketBehavior } from './engine.ts';
import { type FrameReceiver, makeTextFrame, type NodeTopics } from './node-topics.ts';

/** The result of `send` for a message over the backpressure limit. */
const DROPPED = 2;
const SENT = 1;
/** Close code of connections that are closed without a close frame (RFC 6455, section 7.1.5). */
const ABNORMAL = 1006;
const PING_FRAME = Buffer.from([0x89, 0]);
const NOTHING = new ArrayBuffer(0);

/** The socket of `ws`, which parses what a client sends. Its listeners are shared by all, because each costs memory. */
export class ProtocolSocket extends Protocol {
  client: NodeWebSocket<unknown> | undefined;
}

/** A WebSocket of the engine on `node:http`. `ws` parses; messages are written to the socket as whole frames. */
export class NodeWebSocket<T> implements WebSocket<T>, FrameReceiver {
  readonly #protocol: ProtocolSocket;
  readonly #socket: Socket;
  readonly #behavior: WebSocketBehavior<T>;
  readonly #topics: NodeTopics;
  readonly #userData: T;
  readonly #subscribed = new Set<string>();
  readonly #maxBackpressure: number;
  #awaitsDrain = false;
  #isClosed = false;

  constructor(deps: {
    protocol: ProtocolSocket;
    socket: Socket;
    behavior: WebSocketBehavior<T>;
    topics: NodeTopics;
    userData: T;
  }) {
    this.#protocol = deps.protocol;
    this.#socket = deps.socket;
    this.#behavior = deps.behavior;
    this.#topics = deps.topics;
    this.#userData = deps.userData;
    this.#maxBackpressure = deps.behavior.maxBackpressure ?? Number.POSITIVE_INFINITY;
  }

  /** Begins to receive. */
  open(): void {
    this.#protocol.client = this as NodeWebSocket<unknown>;
    this.#protocol.on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose);
    this.#protocol.on('error', () => {}); // a close follows
    this.#behavior.open?.(this);
  }

  getUserData(): T {
    return this.#userData;
  }

  getBufferedAmount(): number {
    return this.#socket.writableLength;
  }

  subscribe(topic: string): void {
    this.#subscribed.add(topic);
    this.#topics.add(topic, this);
  }

  unsubscribe(topic: string): void {
    this.#subscribed.delete(topic);
    this.#topics.delete(topic, this);
  }

  send(text: string): number {
    return this.sendFrame(makeTextFrame(text));
  }

  sendFrame(frame: Buffer): number {
    if (this.#isFull) {
      this.#behavior.dropped?.(this, NOTHING, false);
      return DROPPED;
    }
    this.#write(frame);
    return SENT;
  }

  ping(): void {
    this.#write(PING_FRAME);
  }

  end(code: number, reason: string): void {
    this.#protocol.close(code, reason);
    this.closed(code);
  }

  close(): void {
    this.#protocol.terminate();
    this.closed(ABNORMAL);
  }

  received(data: Buffer, isBinary: boolean): void {
    if (!this.#isClosed) this.#behavior.message?.(this, data, isBinary);
  }

  pinged(payload: Buffer): void {
    if (this.#isClosed) return;
    if (!this.#isFull) this.#protocol.pong(payload);
    this.#behavior.ping?.(this, NOTHING);
  }

  ponged(): void {
    if (!this.#isClosed) this.#behavior.pong?.(this, NOTHING);
  }

  closed(code: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const topic of this.#subscribed) this.#topics.delete(topic, this);
    this.#behavior.close?.(this, code, NOTHING);
  }

  get #isFull(): boolean {
    return this.#socket.writableLength > this.#maxBackpressure;
  }

  #write(frame: Buffer): void {
    if (this.#socket.write(frame) || this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    this.#socket.once('drain', () => {
      this.#awaitsDrain = false;
      if (!this.#isClosed) this.#behavior.drain?.(this);
    });
  }
}

function onMessage(this: Protocol, data: unknown, isBinary: boolean): void {
  (this as ProtocolSocket).client?.received(data as Buffer, isBinary);
}

function onPing(this: Protocol, payload: Buffer): void {
  (this as ProtocolSocket).client?.pinged(payload);
}

function onPong(this: Protocol): void {
  (this as ProtocolSocket).client?.ponged();
}

function onClose(this: Protocol, code: number): void {
  (this as ProtocolSocket).client?.closed(code);
}
