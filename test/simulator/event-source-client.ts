import { createEventReader } from '../../services/client/event-stream.ts';
import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { ServerMessage } from '../../services/shared/protocol/server-message.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { type ClientConnection, isHealthy, type LoadBalancer } from './load-balancer.ts';
import type { Page } from './page.ts';
import type { SimulatedClient } from './simulated-client.ts';

/** The page replaces a stream without events for this long; relays send pings. */
const SILENCE_MS = 20_000;

/** A page with a native `EventSource`, which reconnects with `Last-Event-ID`. */
export class EventSourceClient implements SimulatedClient {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  readonly #clock: Clock;
  readonly #loadBalancer: LoadBalancer;
  /** The topics for which the relay of this stream has reported a version. */
  readonly #confirmed = new Set<Topic>();
  #connection: ClientConnection | undefined;
  #lastEventId = '';
  #retryMs = 3000;
  #fresh = false;
  #silence: Timer | undefined;
  #left = false;

  constructor(deps: { name: string; topics: readonly Topic[]; page: Page; clock: Clock; loadBalancer: LoadBalancer }) {
    this.name = deps.name;
    this.topics = deps.topics;
    this.page = deps.page;
    this.#clock = deps.clock;
    this.#loadBalancer = deps.loadBalancer;
    this.#connect();
  }

  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  get receives(): boolean {
    return isHealthy(this.#connection);
  }

  get isFresh(): boolean {
    return this.#fresh && this.topics.every((topic) => this.#confirmed.has(topic));
  }

  close(): void {
    this.#left = true;
    this.#silence?.cancel();
    this.#connection?.close(1000);
  }

  #connect(): void {
    if (this.#left) return;
    this.#fresh = true; // a stale relay says so
    this.#confirmed.clear();
    const url = new URL('http://relay/events');
    for (const topic of this.topics) url.searchParams.append('topic', topic);
    const read = createEventReader(({ id, retry, event, data }) => {
      if (retry !== undefined) this.#retryMs = Number(retry);
      if (id !== undefined) this.#lastEventId = id;
      if (event !== 'ping' && data) this.#message(JSON.parse(data));
    });
    const headers: Record<string, string> = this.#lastEventId ? { 'last-event-id': this.#lastEventId } : {};
    const connection = this.#loadBalancer.request(url, headers, {
      head() {},
      chunk: (text) => {
        if (this.#connection !== connection) return;
        this.#expectEvent();
        read(text);
      },
      closed: () => {
        if (this.#connection === connection) this.#reconnect();
      },
    });
    this.#connection = connection;
    this.#expectEvent();
  }

  #reconnect(): void {
    this.#silence?.cancel();
    this.#connection?.close(1001);
    this.#connection = undefined;
    this.#fresh = false;
    this.#clock.after(this.#retryMs, () => this.#connect());
  }

  #expectEvent(): void {
    this.#silence?.cancel();
    this.#silence = this.#clock.after(SILENCE_MS, () => this.#reconnect());
  }

  #message(message: ServerMessage): void {
    if (message.type === 'freshness') this.#fresh = message.fresh;
    else if (message.type === 'update') this.page.update(message.topic as Topic, message.data);
    else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version !== null) this.#confirmed.add(topic as Topic);
        if (!this.page.has(topic as Topic)) this.page.load(topic as Topic);
      }
    }
  }
}
