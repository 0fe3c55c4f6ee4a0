import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { ServerMessage } from '../../services/shared/protocol/server-message.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { type ClientConnection, isHealthy, type LoadBalancer } from './load-balancer.ts';
import type { Page } from './page.ts';
import type { SimulatedClient } from './simulated-client.ts';

export interface PlainClientDeps {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  readonly clock: Clock;
  readonly loadBalancer: LoadBalancer;
}

/**
 * A page without the library, following the documented protocol: connects again after a while, replaces a connection that
 * is silent for too long, and knows whether its relay is fresh. Call `connect` once.
 */
export abstract class PlainClient implements SimulatedClient {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  protected readonly loadBalancer: LoadBalancer;
  readonly #clock: Clock;
  /** The topics for which the relay of this connection has reported a version. */
  readonly #confirmed = new Set<Topic>();
  #connection: ClientConnection | undefined;
  #isRelayFresh = false;
  #silence: Timer | undefined;
  #left = false;

  constructor(deps: PlainClientDeps) {
    this.name = deps.name;
    this.topics = deps.topics;
    this.page = deps.page;
    this.loadBalancer = deps.loadBalancer;
    this.#clock = deps.clock;
  }

  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  get receives(): boolean {
    return isHealthy(this.#connection);
  }

  get isFresh(): boolean {
    return this.#isRelayFresh && this.topics.every((topic) => this.#confirmed.has(topic));
  }

  close(): void {
    this.#left = true;
    this.#silence?.cancel();
    this.#connection?.close(1000);
  }

  /** The time without messages after which the client calls `silent`, in milliseconds. */
  protected abstract readonly silenceMs: number;

  /** Opens a connection with the topics. */
  protected abstract open(): ClientConnection;

  protected abstract subscribed(topic: Topic, version: Version | null): void;

  protected abstract updated(topic: Topic, version: Version, data: unknown): void;

  /** Returns the time to wait before the next connection, in milliseconds. */
  protected abstract retryMs(): number;

  /** The connection was silent. Replaces it, unless overridden. */
  protected silent(): void {
    this.#reconnect();
  }

  protected connect(): void {
    if (this.#left) return;
    this.#isRelayFresh = true; // a stale relay says so
    this.#confirmed.clear();
    this.#connection = this.open();
    this.expectMessage();
  }

  /** Handles something that arrived on a connection, unless that has been replaced. */
  protected arrived(connection: ClientConnection, handle: () => void): void {
    if (this.#connection !== connection) return;
    this.expectMessage();
    handle();
  }

  /** Handles the end of a connection, unless that has been replaced. */
  protected lost(connection: ClientConnection): void {
    if (this.#connection === connection) this.#reconnect();
  }

  protected message(message: ServerMessage): void {
    if (message.type === 'freshness') this.#isRelayFresh = message.fresh;
    else if (message.type === 'update') this.updated(message.topic as Topic, message.version, message.data);
    else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version !== null) this.#confirmed.add(topic as Topic);
        this.subscribed(topic as Topic, version);
      }
    }
  }

  /** Begins to wait for a message. */
  protected expectMessage(then = () => this.silent()): void {
    this.#silence?.cancel();
    this.#silence = this.#clock.after(this.silenceMs, then);
  }

  #reconnect(): void {
    this.#silence?.cancel();
    this.#connection?.close(1001);
    this.#connection = undefined;
    this.#isRelayFresh = false;
    this.#clock.after(this.retryMs(), () => this.connect());
  }
}
