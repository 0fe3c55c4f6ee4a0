import { AppError, toAppError } from '../../../shared/errors.ts';
import { CLOSE_CODES } from '../../../shared/protocol/close-codes.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update } from '../../../shared/update/update.ts';
import type { App, HttpRequest, HttpResponse } from '../../engine/engine.ts';
import { parseTriesLeft, readCaller } from '../caller.ts';
import { parseConnectRequest } from '../connect-request.ts';
import { serveProblem } from '../http/http-response.ts';
import type { MessageEncoder } from '../message-encoder.ts';
import { type Accept, type Admission, type ConnectionReport, MAX_MESSAGE_BYTES } from '../transport.ts';
import { readHandshake, refuseUpgrade, UPGRADE_HEADERS } from './handshake.ts';
import { engineTopicOf, type Socket, type UserData, WebsocketConnection } from './websocket-connection.ts';

/** Maximum bytes queued for a slow client, besides the kernel's buffer. One message may exceed it. */
const MAX_BACKPRESSURE_BYTES = 64 * 1024;

/**
 * Minimum of the frame limit of uWebSockets.js, which drops the connection without a close code. Messages between our limit
 * and that one are closed with a code.
 */
const MIN_FRAME_BYTES = 128 * 1024;

const decoder = new TextDecoder();

/** WebSocket with one encoder on one path. Delivers updates by uWebSockets.js' own topics. */
export class WebsocketTransport {
  readonly #app: App;
  readonly #encoder: MessageEncoder;
  readonly #accept: Accept;
  readonly #maxTopics: number;
  readonly #maxMessageBytes: number;
  readonly #defaultTopic: Topic | undefined;
  readonly #nowMs: () => number;
  readonly #admission: Admission;
  readonly #report: ConnectionReport;
  readonly connections = new Set<WebsocketConnection>();

  /**
   * @param deps.maxMessageBytes 0 for no limit
   * @param deps.defaultTopic the topic of clients that name none
   */
  constructor(deps: {
    app: App;
    path: string;
    encoder: MessageEncoder;
    accept: Accept;
    admission: Admission;
    report: ConnectionReport;
    maxTopics: number;
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
      // The sweep pings and closes instead: uWebSockets.js would close slow readers too.
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
    serveProblem(this.#app, deps.path, new AppError('upgrade_required'), UPGRADE_HEADERS);
  }

  deliver(update: Update, paced: boolean): number {
    const engineTopic = engineTopicOf(this.#encoder, update.topic);
    const subscribers = this.#app.numSubscribers(engineTopic);
    if (subscribers === 0 || (paced && !this.#encoder.supportsSpread)) return 0;
    this.#app.publish(engineTopic, this.#encoder.update(update));
    return subscribers;
  }

  sendFreshness(fresh: boolean): void {
    for (const connection of this.connections) {
      if (!connection.sendFreshness(fresh)) connection.owner?.fellBehind();
    }
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: object): void {
    const protocol = req.getHeader('sec-websocket-protocol');
    const extensions = req.getHeader('sec-websocket-extensions');
    try {
      const key = readHandshake(req);
      const request = parseConnectRequest(req.getQuery(), {
        maxTopics: this.#maxTopics,
        authorization: req.getHeader('authorization'),
        ...(this.#defaultTopic === undefined ? {} : { defaultTopic: this.#defaultTopic }),
      });
      const caller = readCaller(res, req, parseTriesLeft(req.getQuery()));
      const admissionKey = this.#admission.admit(caller, this.#encoder.transport, request.topics.size);
      res.upgrade<UserData>({ request, admissionKey }, key, protocol, extensions, context);
    } catch (error) {
      const refusal = toAppError(error);
      this.#report.refused(refusal);
      // Most WebSocket clients, as those of browsers, hide the status of a refused handshake; all of them show close codes.
      if (refusal.code === 'rebalancing') res.upgrade<UserData>({}, readHandshake(req), protocol, extensions, context);
      else refuseUpgrade(res, refusal);
    }
  }

  #open(ws: Socket): void {
    const data = ws.getUserData();
    if (data.admissionKey === undefined) {
      ws.end(CLOSE_CODES.rebalancing, 'rebalancing');
      return;
    }
    const connection = new WebsocketConnection(ws, this.#encoder, this.#nowMs());
    data.connection = connection;
    this.connections.add(connection);
    this.#report.opened(this.#encoder.transport);
    const { request } = data;
    data.request = undefined;
    if (!request) return;
    const owner = this.#accept(connection, request);
    connection.owner = owner;
    if (connection.isClosed) owner.closed(); // closed by its owner during `accept`
  }

  #message(ws: Socket, message: ArrayBuffer | Uint8Array, isBinary: boolean): void {
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
    // uWebSockets.js also emits this while the buffer is almost full, and always once more when it is empty.
    if (ws.getBufferedAmount() < MAX_BACKPRESSURE_BYTES / 2) connection.owner?.drained();
  }

  #closed(ws: Socket, code: number): void {
    const { connection, admissionKey } = ws.getUserData();
    if (admissionKey === undefined) return;
    this.#admission.release(admissionKey);
    if (!connection) return;
    this.connections.delete(connection);
    connection.closed();
    this.#report.closed(this.#encoder.transport, code);
  }
}
