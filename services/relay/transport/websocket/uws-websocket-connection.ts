import type { WebSocket } from 'uWebSockets.js';
import type { CloseCode } from '../../../shared/protocol/close-codes.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update, Version } from '../../../shared/update/update.ts';
import type { MessageEncoder } from '../message-encoder.ts';
import type { Sweepable } from '../sweep.ts';
import type { Connection, ConnectionOwner, ConnectRequest } from '../transport.ts';

/** What uWebSockets.js keeps for each WebSocket. */
export interface UserData {
  /** Given away when the connection opens. */
  greeting: ConnectRequest | undefined;
  readonly admission: string;
  connection?: UwsWebsocketConnection;
}

export type Socket = WebSocket<UserData>;

/** The topic of uWebSockets.js for those of a dialect who listen to one of ours. */
export function channelOf({ transport }: MessageEncoder, topic: Topic): string {
  return `${transport} ${topic}`;
}

/** uWebSockets.js: what `send` returns for a message that was not taken. */
const DROPPED = 2;

/** One client's WebSocket, whatever its dialect. */
export class UwsWebsocketConnection implements Connection, Sweepable {
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

  subscribe(topic: Topic): void {
    this.#ws?.subscribe(channelOf(this.#encoder, topic));
  }

  unsubscribe(topic: Topic): void {
    this.#ws?.unsubscribe(channelOf(this.#encoder, topic));
  }

  sendSubscribed(numbers: ReadonlyMap<Topic, Version | null>): boolean {
    return this.#send(this.#encoder.subscribed(numbers));
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

  progressed(nowMs: number): void {
    this.#progressedAtMs = nowMs;
  }

  pinged(nowMs: number): void {
    this.progressed(nowMs);
    this.owner?.alive();
  }

  /** What answers a ping of ours costs nothing. */
  ponged(nowMs: number): void {
    this.progressed(nowMs);
    if (!this.#awaitsPong) this.owner?.alive();
    this.#awaitsPong = false;
  }

  get isGone(): boolean {
    return this.#ws === undefined;
  }

  gone(): void {
    this.#ws = undefined;
  }

  sweep(nowMs: number, stuckMs: number): boolean {
    if (!this.#ws) return true;
    const buffered = this.#ws.getBufferedAmount();
    if (buffered < this.#bufferedBytes) this.progressed(nowMs);
    this.#bufferedBytes = buffered;
    if (nowMs - this.#progressedAtMs > stuckMs) {
      this.#ws.close();
      return false;
    }
    this.#awaitsPong = true;
    this.#ws.ping();
    return true;
  }

  #send(text: string | undefined): boolean {
    if (text === undefined || !this.#ws) return true;
    return this.#ws.send(text) !== DROPPED;
  }
}
