import type { CloseCode } from '../../../shared/protocol/close-codes.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update, Version } from '../../../shared/update/update.ts';
import type { WebSocket } from '../../engine/engine.ts';
import type { MessageEncoder } from '../message-encoder.ts';
import type { Sweepable, SweepLimits } from '../sweep.ts';
import type { Connection, ConnectionOwner, ConnectRequest } from '../transport.ts';

/** Data that uWebSockets.js keeps for each WebSocket. */
export interface UserData {
  /** Only until the connection is open: it holds a token. */
  request?: ConnectRequest | undefined;
  /** Undefined for a client that was not admitted: it is closed as soon as it is open. */
  readonly admissionKey?: string;
  connection?: WebsocketConnection;
}

export type Socket = WebSocket<UserData>;

/** Returns the uWebSockets.js topic for the subscribers of a topic that use the same encoder. */
export function engineTopicOf({ transport }: MessageEncoder, topic: Topic): string {
  return `${transport} ${topic}`;
}

/** The result of uWebSockets.js' `send` for a message over the backpressure limit. */
const DROPPED = 2;

/** One client's WebSocket, with any encoder. */
export class WebsocketConnection implements Connection, Sweepable {
  readonly #encoder: MessageEncoder;
  #ws: Socket | undefined;
  #progressedAtMs: number;
  #bufferedBytes = 0;
  #awaitsPong = false;
  owner: ConnectionOwner | undefined;

  constructor(ws: Socket, encoder: MessageEncoder, nowMs: number) {
    this.#ws = ws;
    this.#encoder = encoder;
    this.#progressedAtMs = nowMs;
  }

  get transport() {
    return this.#encoder.transport;
  }

  get acceptsMessages() {
    return this.#encoder.acceptsMessages;
  }

  get supportsSpread() {
    return this.#encoder.supportsSpread;
  }

  get bufferedBytes() {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  subscribe(topic: Topic): void {
    this.#ws?.subscribe(engineTopicOf(this.#encoder, topic));
  }

  unsubscribe(topic: Topic): void {
    this.#ws?.unsubscribe(engineTopicOf(this.#encoder, topic));
  }

  sendSubscribed(versions: ReadonlyMap<Topic, Version | null>): boolean {
    return this.#send(this.#encoder.subscribed(versions));
  }

  sendUpdate(update: Update): boolean {
    return this.#send(this.#encoder.update(update));
  }

  sendFreshness(fresh: boolean): boolean {
    return this.#send(this.#encoder.freshness(fresh));
  }

  sendPong(): boolean {
    return this.#send(this.#encoder.pong());
  }

  sendError(code: string, topic?: Topic): boolean {
    return this.#send(this.#encoder.error(code, topic));
  }

  close(code: CloseCode, reason: string): void {
    this.#ws?.end(code, reason);
  }

  /** Notes that the client has sent or read something. */
  progressed(nowMs: number): void {
    this.#progressedAtMs = nowMs;
  }

  pinged(nowMs: number): void {
    this.progressed(nowMs);
    this.owner?.alive();
  }

  /** A pong that answers our ping does not count against the client's rate limit; an unsolicited one does. */
  ponged(nowMs: number): void {
    this.progressed(nowMs);
    if (!this.#awaitsPong) this.owner?.alive();
    this.#awaitsPong = false;
  }

  get isClosed(): boolean {
    return this.#ws === undefined;
  }

  /** Must be called when the socket is closed: uWebSockets.js throws if it is used after that. */
  closed(): void {
    this.#ws = undefined;
    this.owner?.closed();
  }

  sweep(nowMs: number, { stuckMs, heardMs }: SweepLimits): boolean {
    if (!this.#ws) return true;
    const buffered = this.#ws.getBufferedAmount();
    if (buffered < this.#bufferedBytes) this.progressed(nowMs);
    this.#bufferedBytes = buffered;
    const silentMs = nowMs - this.#progressedAtMs;
    if (silentMs > stuckMs) {
      this.#ws.close();
      return false;
    }
    if (silentMs < heardMs) return true; // as clients of the library, which ping by themselves
    this.#awaitsPong = true;
    this.#ws.ping();
    return true;
  }

  #send(text: string | undefined): boolean {
    if (text === undefined || !this.#ws) return true;
    return this.#ws.send(text) !== DROPPED;
  }
}
