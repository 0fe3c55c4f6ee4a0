import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { Clock } from '../../../shared/clock.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { TopicSubscribers } from '../topic-subscribers.ts';
import type { Accept, Admission, Connection, ConnectionOwner, ConnectionReport, ConnectRequest } from '../transport.ts';
import type { CorsHeaders } from './uws-problem.ts';

/** What the transports over plain HTTP need. */
export interface HttpTransportDeps {
  readonly app: TemplatedApp;
  readonly accept: Accept;
  readonly admission: Admission;
  readonly report: ConnectionReport;
  readonly corsHeaders: CorsHeaders;
  readonly clock: Clock;
}

/** What the metrics call an end that nobody announced (RFC 6455, section 7.1.5). */
const ABORTED = 1006;

/** What every request that stays open has: a response until it is gone, an owner, and topics that it listens to. */
export class UwsRequest<C> {
  readonly #connection: C;
  readonly #listeners: TopicSubscribers<C>;
  readonly #topics = new Set<Topic>();
  readonly #whenGone: () => void;
  #res: HttpResponse | undefined;
  #ended: ((code: number) => void) | undefined;
  #goneCode: number | undefined;
  owner: ConnectionOwner | undefined;

  /** `whenGone` releases what the connection itself holds. */
  constructor(deps: { connection: C; res: HttpResponse; listeners: TopicSubscribers<C>; whenGone: () => void }) {
    this.#connection = deps.connection;
    this.#res = deps.res;
    this.#listeners = deps.listeners;
    this.#whenGone = deps.whenGone;
    deps.res.onAborted(() => this.gone(ABORTED));
  }

  /** The response; undefined once it has ended. */
  get res(): HttpResponse | undefined {
    return this.#res;
  }

  /** Gives it its owner. `key` is what the admission has answered. */
  start(options: {
    deps: HttpTransportDeps;
    key: string;
    greeting: ConnectRequest;
    connections: Set<C>;
    connection: Connection & C;
  }): void {
    const { deps, key, greeting, connections, connection } = options;
    connections.add(connection);
    deps.report.opened(connection.transport);
    this.#ended = (code) => {
      connections.delete(connection);
      deps.admission.release(key);
      deps.report.closed(connection.transport, code);
    };
    this.owner = deps.accept(connection, greeting);
    if (this.#goneCode !== undefined) this.owner.closed(); // it was refused at once
  }

  listen(topic: Topic): void {
    if (!this.#res) return;
    this.#topics.add(topic);
    this.#listeners.add(topic, this.#connection);
  }

  unlisten(topic: Topic): void {
    this.#topics.delete(topic);
    this.#listeners.remove(topic, this.#connection);
  }

  /** It has ended, by us or by the other side. */
  gone(code: number): void {
    if (!this.#res) return;
    this.#res = undefined;
    this.#goneCode = code;
    for (const topic of this.#topics) this.#listeners.remove(topic, this.#connection);
    this.#whenGone();
    this.owner?.closed();
    this.#ended?.(code);
  }
}
