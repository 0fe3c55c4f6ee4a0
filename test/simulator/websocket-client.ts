import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { ServerMessage, UpdateMessage } from '../../services/shared/protocol/server-message.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { type ClientConnection, isHealthy, type LoadBalancer } from './load-balancer.ts';
import type { Page } from './page.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClient } from './simulated-client.ts';

/** How it sends its versions when it reconnects: in the URL, in a message, or not at all. */
export type Resume = 'greeting' | 'message' | 'none';

const MAX_RECONNECT_DELAY_MS = 2000;
/** A connection without messages for this long is closed. */
const SILENCE_MS = 15_000;

/** A client with a plain WebSocket and without the library, following the documented protocol. */
export class WebsocketClient implements SimulatedClient {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  readonly #resume: Resume;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #loadBalancer: LoadBalancer;
  /** The version it has of each topic; 0 if the relay could not confirm one. */
  readonly #known = new Map<Topic, Version>();
  #requested = new Map<Topic, Version | null>();
  /** Topics fetched on the first reply of this connection. */
  readonly #loaded = new Set<Topic>();
  /** The topics for which the relay of this connection has reported a version. */
  readonly #confirmed = new Set<Topic>();
  #connection: ClientConnection | undefined;
  #silence: Timer | undefined;
  #fresh = false;
  #left = false;

  constructor(deps: {
    name: string;
    topics: readonly Topic[];
    resume: Resume;
    page: Page;
    clock: Clock;
    random: SeededRandom;
    loadBalancer: LoadBalancer;
  }) {
    this.name = deps.name;
    this.topics = deps.topics;
    this.page = deps.page;
    this.#resume = deps.resume;
    this.#clock = deps.clock;
    this.#random = deps.random;
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
    this.#connection?.close(1000);
  }

  #connect(): void {
    if (this.#left) return;
    const since = (topic: Topic) => (this.#resume === 'none' ? null : (this.#known.get(topic) ?? null));
    this.#requested = new Map(this.topics.map((topic) => [topic, since(topic)]));
    this.#fresh = false;
    this.#loaded.clear();
    this.#confirmed.clear();
    const names = this.topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
    const versions = [...this.#requested.values()].map((version) => version ?? '').join();
    const query = /\d/.test(versions) ? `${names}&since=${versions}` : names;
    const connection = this.#loadBalancer.connect('/ws', this.#resume === 'message' ? '' : query, {
      opened: () => {
        if (this.#resume !== 'message') return;
        connection.send(JSON.stringify({ type: 'subscribe', topics: Object.fromEntries(this.#requested) }));
      },
      message: (text) => {
        if (this.#connection === connection) this.#message(JSON.parse(text));
      },
      closed: () => {
        if (this.#connection === connection) this.#reconnect();
      },
    });
    this.#connection = connection;
    this.#expectMessage();
  }

  #reconnect(): void {
    this.#silence?.cancel();
    this.#connection = undefined;
    this.#fresh = false;
    this.#clock.after(this.#random.between(0, MAX_RECONNECT_DELAY_MS), () => this.#connect());
  }

  /** Sends a ping when the connection has been silent, and closes it if no message follows. */
  #expectMessage(): void {
    this.#silence?.cancel();
    this.#silence = this.#clock.after(SILENCE_MS / 2, () => {
      this.#connection?.send(JSON.stringify({ type: 'ping' }));
      this.#silence = this.#clock.after(SILENCE_MS / 2, () => {
        this.#connection?.close(1001);
        this.#reconnect();
      });
    });
  }

  #message(message: ServerMessage): void {
    this.#expectMessage();
    if (message.type === 'freshness') this.#fresh = message.fresh;
    else if (message.type === 'update') this.#update(message.topic as Topic, message);
    else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) this.#subscribed(topic as Topic, version);
    }
  }

  #update(topic: Topic, { version, data }: UpdateMessage): void {
    this.#known.set(topic, version);
    this.#requested.set(topic, version);
    // It may arrive before the reply to the subscription.
    if (this.page.has(topic)) this.page.update(topic, data);
    else this.page.load(topic);
  }

  #subscribed(topic: Topic, version: Version | null): void {
    const requested = this.#requested.get(topic) ?? null;
    if (version !== null) {
      this.#fresh = true;
      this.#confirmed.add(topic);
    }
    // If it sent its version, an update follows in case that is not current.
    if (requested !== null) return;
    if (!this.#loaded.has(topic)) this.page.load(topic);
    this.#loaded.add(topic);
    this.#known.set(topic, version ?? 0);
  }
}
