import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { AppError, toAppError } from '../../shared/errors.ts';
import { CLOSE_CODES, type CloseCode } from '../../shared/protocol/close-codes.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import type { Dialect } from './dialect.ts';
import { parseGreeting } from './greeting.ts';
import type { Sweepable } from './sweep.ts';
import type { Accept, Admission, Connection, ConnectionOwner, ConnectionReport, Greeting } from './transport.ts';
import { readCaller } from './uws-caller.ts';
import { readHandshake, refuseUpgrade } from './uws-handshake.ts';

/** The longest message a client may send, in bytes. */
export const MAX_MESSAGE_BYTES = 16 * 1024;

/** The most that waits for one slow client, in bytes, beyond what the kernel holds; one message may overshoot it. */
export const MAX_BACKPRESSURE_BYTES = 64 * 1024;

/** uWebSockets.js cuts the line over its own limit without a close code: up to here we say why. */
const MAX_FRAME_BYTES = 128 * 1024;

interface UserData {
  /** Given away when the connection opens. */
  greeting: Greeting | undefined;
  readonly admission: string;
  connection?: UwsConnection;
}

type Socket = WebSocket<UserData>;

const decoder = new TextDecoder();

/** One dialect of WebSocket on a path. Live updates go through uWebSockets.js' own topics. */
export class UwsWebsocket {
  readonly #app: TemplatedApp;
  readonly #dialect: Dialect;
  readonly #accept: Accept;
  readonly #maxTopics: number;
  readonly #defaultTopic: Topic | undefined;
  readonly #nowMs: () => number;
  readonly #admission: Admission;
  readonly #report: ConnectionReport;
  readonly #control: string;
  readonly connections = new Set<UwsConnection>();

  constructor(deps: {
    app: TemplatedApp;
    path: string;
    dialect: Dialect;
    accept: Accept;
    admission: Admission;
    report: ConnectionReport;
    maxTopics: number;
    defaultTopic?: Topic;
    nowMs: () => number;
  }) {
    this.#app = deps.app;
    this.#dialect = deps.dialect;
    this.#accept = deps.accept;
    this.#maxTopics = deps.maxTopics;
    this.#defaultTopic = deps.defaultTopic;
    this.#nowMs = deps.nowMs;
    this.#admission = deps.admission;
    this.#report = deps.report;
    this.#control = `${deps.dialect.transport} `; // no topic has a space
    this.#app.ws<UserData>(deps.path, {
      maxPayloadLength: MAX_FRAME_BYTES,
      maxBackpressure: MAX_BACKPRESSURE_BYTES,
      // The sweep pings and judges: it is patient with slow readers, which this is not.
      idleTimeout: 0,
      sendPingsAutomatically: false,
      upgrade: (res, req, context) => this.#upgrade(res, req, context),
      open: (ws) => this.#open(ws),
      message: (ws, message, isBinary) => this.#message(ws, message, isBinary),
      pong: (ws) => ws.getUserData().connection?.ponged(this.#nowMs()),
      ping: (ws) => ws.getUserData().connection?.pinged(this.#nowMs()),
      dropped: (ws) => ws.getUserData().connection?.owner?.fellBehind(),
      drain: (ws) => this.#drained(ws),
      close: (ws, code) => this.#closed(ws, code),
    });
    this.#app.any(deps.path, (res) => refuseUpgrade(res, new AppError('upgrade_required')));
  }

  /** Tells all who listen; returns how many. */
  publish(update: Update, paced: boolean): number {
    const channel = this.#channel(update.topic);
    const listeners = this.#app.numSubscribers(channel);
    if (listeners === 0 || (paced && !this.#dialect.knowsSpread)) return 0;
    this.#app.publish(channel, this.#dialect.update(update));
    return listeners;
  }

  publishFreshness(fresh: boolean): void {
    const text = this.#dialect.freshness(fresh);
    if (text !== undefined) this.#app.publish(this.#control, text);
  }

  #channel(topic: Topic): string {
    return this.#control + topic;
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const protocol = req.getHeader('sec-websocket-protocol');
    const extensions = req.getHeader('sec-websocket-extensions');
    try {
      const key = readHandshake(req);
      const greeting = parseGreeting(req.getQuery(), {
        maxTopics: this.#maxTopics,
        authorization: req.getHeader('authorization'),
        ...(this.#defaultTopic === undefined ? {} : { defaultTopic: this.#defaultTopic }),
      });
      const admission = this.#admission.enter(readCaller(res, req));
      res.upgrade<UserData>({ greeting, admission }, key, protocol, extensions, context);
    } catch (error) {
      const refusal = toAppError(error);
      this.#report.refused(refusal);
      refuseUpgrade(res, refusal);
    }
  }

  #open(ws: Socket): void {
    const data = ws.getUserData();
    const connection = new UwsConnection(ws, this.#dialect, (topic) => this.#channel(topic), this.#nowMs());
    data.connection = connection;
    this.connections.add(connection);
    this.#report.opened(this.#dialect.transport);
    ws.subscribe(this.#control);
    const { greeting } = data;
    data.greeting = undefined;
    if (!greeting) return;
    const owner = this.#accept(connection, greeting);
    connection.owner = owner;
    if (connection.isGone) owner.closed(); // it was refused at once
  }

  #message(ws: Socket, message: ArrayBuffer, isBinary: boolean): void {
    const connection = ws.getUserData().connection;
    if (!connection) return;
    connection.progressed(this.#nowMs());
    if (message.byteLength > MAX_MESSAGE_BYTES) connection.close(CLOSE_CODES.tooBig, 'message too big');
    else if (!this.#dialect.listens) connection.owner?.heard();
    else if (isBinary) connection.close(CLOSE_CODES.abuse, 'text messages only');
    else connection.owner?.message(decoder.decode(message));
  }

  #drained(ws: Socket): void {
    const connection = ws.getUserData().connection;
    if (!connection) return;
    connection.progressed(this.#nowMs());
    // The event also comes while the buffer is still too full; it always ends with one at 0.
    if (ws.getBufferedAmount() < MAX_BACKPRESSURE_BYTES / 2) connection.owner?.roomAgain();
  }

  #closed(ws: Socket, code: number): void {
    const { connection, admission } = ws.getUserData();
    this.#admission.leave(admission);
    if (!connection) return;
    this.connections.delete(connection);
    connection.gone();
    connection.owner?.closed();
    this.#report.closed(this.#dialect.transport, code);
  }
}

/** uWebSockets.js: what `send` returns for a message that was not taken. */
const DROPPED = 2;

class UwsConnection implements Connection, Sweepable {
  readonly #dialect: Dialect;
  readonly #channel: (topic: Topic) => string;
  #ws: Socket | undefined;
  #progressedAtMs: number;
  #bufferedBytes = 0;
  #awaitsPong = false;
  owner: ConnectionOwner | undefined;

  constructor(ws: Socket, dialect: Dialect, channel: (topic: Topic) => string, nowMs: number) {
    this.#ws = ws;
    this.#dialect = dialect;
    this.#channel = channel;
    this.#progressedAtMs = nowMs;
  }

  get transport() {
    return this.#dialect.transport;
  }

  get listens() {
    return this.#dialect.listens;
  }

  listen(topic: Topic): void {
    this.#ws?.subscribe(this.#channel(topic));
  }

  unlisten(topic: Topic): void {
    this.#ws?.unsubscribe(this.#channel(topic));
  }

  sendSubscribed(numbers: ReadonlyMap<Topic, Version | null>): boolean {
    return this.#send(this.#dialect.subscribed(numbers));
  }

  sendUpdate(update: Update): boolean {
    return this.#send(this.#dialect.update(update));
  }

  sendFreshness(fresh: boolean): boolean {
    return this.#send(this.#dialect.freshness(fresh));
  }

  sendPong(): boolean {
    return this.#send(this.#dialect.pong());
  }

  sendError(code: string, topic?: Topic): boolean {
    return this.#send(this.#dialect.error(code, topic));
  }

  close(code: CloseCode, reason: string): void {
    this.#ws?.end(code, reason);
  }

  progressed(nowMs: number): void {
    this.#progressedAtMs = nowMs;
  }

  pinged(nowMs: number): void {
    this.progressed(nowMs);
    this.owner?.heard();
  }

  /** What answers a ping of ours costs nothing. */
  ponged(nowMs: number): void {
    this.progressed(nowMs);
    if (!this.#awaitsPong) this.owner?.heard();
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
