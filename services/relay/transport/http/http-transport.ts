import type { Clock } from '../../../shared/clock.ts';
import type { CloseCode } from '../../../shared/protocol/close-codes.ts';
import type { TransportName } from '../../../shared/protocol/transport-name.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update, Version } from '../../../shared/update/update.ts';
import type { App, HttpResponse } from '../../engine/engine.ts';
import type {
  Accept,
  Admission,
  Connection,
  ConnectionOwner,
  ConnectionReport,
  ConnectRequest,
  Transport,
} from '../transport.ts';
import type { CorsHeaders } from './http-response.ts';

/** Dependencies of the transports over plain HTTP. */
export interface HttpTransportDeps {
  readonly app: App;
  readonly accept: Accept;
  readonly admission: Admission;
  readonly report: ConnectionReport;
  readonly corsHeaders: CorsHeaders;
  readonly clock: Clock;
}

/** Close code of connections that ended without a close of ours (RFC 6455, section 7.1.5). */
const ABNORMAL = 1006;

/** A transport whose connections are HTTP responses that stay open. uWebSockets.js' own topics are for WebSockets only. */
export abstract class HttpTransport<C extends HttpConnection> implements Transport {
  readonly connections = new Set<C>();
  readonly #subscribers = new Map<Topic, Set<C>>();
  readonly #deps: HttpTransportDeps;

  constructor(deps: HttpTransportDeps) {
    this.#deps = deps;
  }

  deliver(update: Update, paced: boolean): number {
    const subscribers = this.#subscribers.get(update.topic);
    if (!subscribers) return 0;
    const text = this.render(update);
    let count = 0;
    // A copy: a connection that closes unsubscribes, and a new one may subscribe meanwhile.
    for (const connection of [...subscribers]) {
      if (paced && !connection.supportsSpread) continue;
      count += 1;
      if (!connection.sendRendered(update, text)) connection.owner?.fellBehind();
    }
    return count;
  }

  sendFreshness(fresh: boolean): void {
    for (const connection of this.connections) {
      if (!connection.sendFreshness(fresh)) connection.owner?.fellBehind();
    }
  }

  subscribe(topic: Topic, connection: C): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers) subscribers.add(connection);
    else this.#subscribers.set(topic, new Set([connection]));
  }

  unsubscribe(topic: Topic, connection: C): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers?.delete(connection) && subscribers.size === 0) this.#subscribers.delete(topic);
  }

  /** Forgets a connection that has ended. */
  closed(connection: C, admissionKey: string, code: number): void {
    this.connections.delete(connection);
    this.#deps.admission.release(admissionKey);
    this.#deps.report.closed(connection.transport, code);
  }

  /** Renders an update once for all subscribers. */
  protected abstract render(update: Update): string;

  /** Adds an admitted connection and assigns its owner. */
  protected open(connection: C, request: ConnectRequest): void {
    this.connections.add(connection);
    this.#deps.report.opened(connection.transport);
    const owner = this.#deps.accept(connection, request);
    connection.owner = owner;
    if (!connection.res) owner.closed(); // closed by its owner during `accept`
  }
}

/** A client connection on an HTTP response that stays open. Subclasses write their format to `res`. */
export abstract class HttpConnection implements Connection {
  abstract readonly transport: TransportName;
  readonly acceptsMessages = false;
  readonly supportsSpread: boolean = true;
  readonly #host: HttpTransport<HttpConnection>;
  readonly #admissionKey: string;
  #res: HttpResponse | undefined;
  owner: ConnectionOwner | undefined;

  /**
   * @param deps.host the transport that opens this connection
   * @param deps.admissionKey released when the connection ends
   */
  constructor(deps: { host: HttpTransport<HttpConnection>; res: HttpResponse; admissionKey: string }) {
    this.#host = deps.host;
    this.#res = deps.res;
    this.#admissionKey = deps.admissionKey;
    deps.res.onAborted(() => this.ended(ABNORMAL));
  }

  /** The response; undefined after it has ended. */
  get res(): HttpResponse | undefined {
    return this.#res;
  }

  /** Nothing waits for a client whose response has ended. */
  get bufferedBytes(): number {
    return 0;
  }

  /** The topics that the client asked for. */
  protected abstract get topics(): Iterable<Topic>;

  subscribe(topic: Topic): void {
    if (this.#res) this.#host.subscribe(topic, this);
  }

  unsubscribe(topic: Topic): void {
    this.#host.unsubscribe(topic, this);
  }

  /** Sends an update, rendered by the transport. Returns false if the client reads too slowly. */
  abstract sendRendered(update: Update, text: string): boolean;
  abstract sendUpdate(update: Update): boolean;
  abstract sendSubscribed(versions: ReadonlyMap<Topic, Version | null>): boolean;
  abstract sendFreshness(fresh: boolean): boolean;
  abstract sendError(code: string, topic?: Topic): boolean;
  abstract close(code: CloseCode, reason: string): void;

  sendPong(): boolean {
    return true; // clients cannot ping over plain HTTP
  }

  /** Releases everything that the connection holds. Call it after the response was ended. */
  protected ended(code: number): void {
    if (!this.#res) return;
    this.#res = undefined;
    for (const topic of this.topics) this.#host.unsubscribe(topic, this);
    this.owner?.closed();
    this.#host.closed(this, this.#admissionKey, code);
  }
}
