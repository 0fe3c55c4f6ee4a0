import { Heliograph, type TransportName } from '../../services/client/heliograph-client.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { type ClientConnection, isHealthy, type LoadBalancer } from './load-balancer.ts';
import type { Page } from './page.ts';
import type { SimulatedApp } from './simulated-app.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { createSimulatedFetch } from './simulated-fetch.ts';
import { createSimulatedWebSocket } from './simulated-web-socket.ts';

/**
 * A page that uses the client library. It fetches a topic on the first reply about it, or displays what its server
 * rendered into it, with versions; from then on it fetches only when notified.
 */
export class LibraryClient implements SimulatedClient {
  readonly name: string;
  readonly page: Page;
  /** The `fetch` that the library uses. */
  readonly fetch: typeof fetch;
  readonly #heliograph: Heliograph;
  readonly #topics: Set<Topic>;
  readonly #transport: TransportName;
  readonly #unsubscribed = new Set<Topic>();
  /** Connections that have not ended. */
  readonly #connections = new Set<ClientConnection>();
  #connection: ClientConnection | undefined;

  constructor(deps: {
    name: string;
    topics: readonly Topic[];
    rendered: boolean;
    transport: TransportName;
    /** Returns a token for private topics; rejects if the app cannot be reached. */
    token: () => Promise<string>;
    app: SimulatedApp;
    page: Page;
    loadBalancer: LoadBalancer;
    /** Called before the client makes a request. */
    ready(client: LibraryClient): void;
  }) {
    const { name, topics, rendered, transport, token, app, page, loadBalancer } = deps;
    this.name = name;
    this.page = page;
    this.#transport = transport;
    this.#topics = new Set(topics);
    const since: Record<string, number | null> = {};
    for (const topic of rendered ? topics : []) {
      since[topic] = app.renderedVersion(topic);
      // Without a version it could not tell whether its content is current when the relay replies.
      if (since[topic] !== null) page.load(topic);
    }
    const opened = (connection: ClientConnection) => {
      this.#connection = connection;
      this.#connections.add(connection);
      this.#unsubscribed.clear();
    };
    const ended = (connection: ClientConnection) => void this.#connections.delete(connection);
    const subscribed = (confirmed: readonly Topic[]) => {
      for (const topic of confirmed) if (this.#topics.has(topic) && !page.has(topic)) page.load(topic);
    };
    this.fetch = createSimulatedFetch({ loadBalancer, opened, ended });
    deps.ready(this);
    this.#heliograph = new Heliograph(`http://${name}`, {
      topics,
      since,
      transports: [transport],
      token,
      WebSocket: createSimulatedWebSocket({ loadBalancer, opened, ended, subscribed }),
    });
    this.#heliograph.on('subscribed', ({ topic }) => subscribed([topic as Topic]));
    this.#heliograph.on('error', () => {}); // it would be logged
    this.#heliograph.on('update', ({ topic, data }) => page.update(topic as Topic, data));
  }

  get topics(): readonly Topic[] {
    return [...this.#topics];
  }

  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  get receives(): boolean {
    if (this.#isIdle) return true;
    // Each topic has a long-poll of its own: one that is dead receives nothing, whatever the status.
    if (![...this.#connections].every(isHealthy)) return false;
    // Between two long-polls there is no connection.
    return this.#heliograph.status === 'live' || isHealthy(this.#connection);
  }

  get isFresh(): boolean | undefined {
    return this.#isIdle ? undefined : this.#heliograph.status === 'live';
  }

  /** Whether it uses long-polling. */
  get polls(): boolean {
    return this.#transport === 'longpoll';
  }

  /** Whether it subscribes again without a reason: for each poll, and with each new token over plain HTTP. */
  get subscribesAgain(): boolean {
    return this.#transport !== 'websocket';
  }

  /** True if it uses plain HTTP and has no topics, so that it makes no requests. */
  get #isIdle(): boolean {
    return this.#transport !== 'websocket' && this.#topics.size === 0;
  }

  /**
   * Subscribes to a topic. Returns false for one that it unsubscribed from on this connection: the reply could not be
   * distinguished from that to the earlier subscription.
   */
  subscribe(topic: Topic): boolean {
    if (this.#unsubscribed.has(topic)) return false;
    this.#topics.add(topic);
    this.#heliograph.subscribe(topic);
    return true;
  }

  unsubscribe(topic: Topic): void {
    this.#topics.delete(topic);
    this.#unsubscribed.add(topic);
    this.page.forget(topic);
    this.#heliograph.unsubscribe(topic);
  }

  close(): void {
    this.#heliograph.close();
  }
}
