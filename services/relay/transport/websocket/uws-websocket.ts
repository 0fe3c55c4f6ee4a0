import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t } from 'uWebSockets.js';
import { toAppError } from '../../../shared/errors.ts';
import { CLOSE_CODES } from '../../../shared/protocol/close-codes.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update } from '../../../shared/update/update.ts';
import { parseConnectRequest } from '../connect-request.ts';
import { refuseOthers } from '../http/uws-problem.ts';
import type { MessageEncoder } from '../message-encoder.ts';
import { type Accept, type Admission, type ConnectionReport, MAX_MESSAGE_BYTES } from '../transport.ts';
import { readCaller } from '../uws-caller.ts';
import { readHandshake, refuseUpgrade, UPGRADE_HEADERS } from './uws-handshake.ts';
import { channelOf, type Socket, type UserData, UwsWebsocketConnection } from './uws-websocket-connection.ts';

/** The most that waits for one slow client, in bytes, beyond what the kernel holds; one message may overshoot it. */
const MAX_BACKPRESSURE_BYTES = 64 * 1024;

/** uWebSockets.js cuts the line over its own limit without a close code: up to here, and to twice ours, we say why. */
const MIN_FRAME_BYTES = 128 * 1024;

const decoder = new TextDecoder();

/** One dialect of WebSocket on a path. Live updates go through uWebSockets.js' own topics. */
export class UwsWebsocket {
  readonly #app: TemplatedApp;
  readonly #encoder: MessageEncoder;
  readonly #accept: Accept;
  readonly #maxTopics: number;
  readonly #maxMessageBytes: number;
  readonly #defaultTopic: Topic | undefined;
  readonly #nowMs: () => number;
  readonly #admission: Admission;
  readonly #report: ConnectionReport;
  readonly connections = new Set<UwsWebsocketConnection>();

  constructor(deps: {
    app: TemplatedApp;
    path: string;
    encoder: MessageEncoder;
    accept: Accept;
    admission: Admission;
    report: ConnectionReport;
    maxTopics: number;
    /** 0 for no limit. */
    maxMessageBytes: number;
    defaultTopic?: Topic;
    nowMs: () => number;
  }) {
    this.#app = deps.app;
    this.#encoder = deps.encoder;
    this.#accept = deps.accept;
    this.#maxTopics = deps.maxTopics;
    this.#maxMessageBytes = deps.maxMessageBytes || MAX_MESSAGE_BYTES;
    this.#defaultTopic = deps.defaultTopic;
    this.#nowMs = deps.nowMs;
    this.#admission = deps.admission;
    this.#report = deps.report;
    this.#app.ws<UserData>(deps.path, {
      maxPayloadLength: Math.max(MIN_FRAME_BYTES, 2 * this.#maxMessageBytes),
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
    refuseOthers(this.#app, deps.path, 'upgrade_required', UPGRADE_HEADERS);
  }

  /** Tells all who listen; returns how many. */
  deliver(update: Update, paced: boolean): number {
    const channel = channelOf(this.#encoder, update.topic);
    const listeners = this.#app.numSubscribers(channel);
    if (listeners === 0 || (paced && !this.#encoder.supportsSpread)) return 0;
    this.#app.publish(channel, this.#encoder.update(update));
    return listeners;
  }

  sendFreshness(fresh: boolean): void {
    for (const connection of this.connections) {
      if (!connection.sendFreshness(fresh)) connection.owner?.fellBehind();
    }
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const protocol = req.getHeader('sec-websocket-protocol');
    const extensions = req.getHeader('sec-websocket-extensions');
    try {
      const key = readHandshake(req);
      const greeting = parseConnectRequest(req.getQuery(), {
        maxTopics: this.#maxTopics,
        authorization: req.getHeader('authorization'),
        ...(this.#defaultTopic === undefined ? {} : { defaultTopic: this.#defaultTopic }),
      });
      const admission = this.#admission.admit(readCaller(res, req));
      res.upgrade<UserData>({ greeting, admission }, key, protocol, extensions, context);
    } catch (error) {
      const refusal = toAppError(error);
      this.#report.refused(refusal);
      refuseUpgrade(res, refusal);
    }
  }

  #open(ws: Socket): void {
    const data = ws.getUserData();
    const connection = new UwsWebsocketConnection(ws, this.#encoder, this.#nowMs());
    data.connection = connection;
    this.connections.add(connection);
    this.#report.opened(this.#encoder.transport);
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
    if (message.byteLength > this.#maxMessageBytes) connection.close(CLOSE_CODES.tooBig, 'message too big');
    else if (!this.#encoder.acceptsMessages) connection.owner?.alive();
    else if (isBinary) connection.close(CLOSE_CODES.abuse, 'text messages only');
    else connection.owner?.message(decoder.decode(message));
  }

  #drained(ws: Socket): void {
    const connection = ws.getUserData().connection;
    if (!connection) return;
    connection.progressed(this.#nowMs());
    // The event also comes while the buffer is still too full; it always ends with one at 0.
    if (ws.getBufferedAmount() < MAX_BACKPRESSURE_BYTES / 2) connection.owner?.drained();
  }

  #closed(ws: Socket, code: number): void {
    const { connection, admission } = ws.getUserData();
    this.#admission.release(admission);
    if (!connection) return;
    this.connections.delete(connection);
    connection.gone();
    connection.owner?.closed();
    this.#report.closed(this.#encoder.transport, code);
  }
}
