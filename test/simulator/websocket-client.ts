import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import type { ClientConnection } from './load-balancer.ts';
import { PlainClient, type PlainClientDeps } from './plain-client.ts';
import type { SeededRandom } from './seeded-random.ts';

/** How it sends its versions when it reconnects: in the URL, in a message, or not at all. */
export type Resume = 'greeting' | 'message' | 'none';

const MAX_RECONNECT_DELAY_MS = 2000;

/** A page with a plain WebSocket. */
export class WebsocketClient extends PlainClient {
  protected readonly silenceMs = 7500;
  readonly #resume: Resume;
  readonly #random: SeededRandom;
  /** The version it has of each topic; 0 if the relay could not confirm one. */
  readonly #known = new Map<Topic, Version>();
  #requested = new Map<Topic, Version | null>();
  /** Topics fetched on the first reply of this connection. */
  readonly #loaded = new Set<Topic>();

  constructor(deps: PlainClientDeps & { resume: Resume; random: SeededRandom }) {
    super(deps);
    this.#resume = deps.resume;
    this.#random = deps.random;
    this.connect();
  }

  protected open(): ClientConnection {
    const since = (topic: Topic) => (this.#resume === 'none' ? null : (this.#known.get(topic) ?? null));
    this.#requested = new Map(this.topics.map((topic) => [topic, since(topic)]));
    this.#loaded.clear();
    const names = this.topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
    const versions = [...this.#requested.values()].map((version) => version ?? '').join();
    const query = /\d/.test(versions) ? `${names}&since=${versions}` : names;
    const connection = this.loadBalancer.connect('/ws', this.#resume === 'message' ? '' : query, {
      opened: () => {
        if (this.#resume !== 'message') return;
        connection.send(JSON.stringify({ type: 'subscribe', topics: Object.fromEntries(this.#requested) }));
      },
      message: (text) => this.arrived(connection, () => this.message(JSON.parse(text))),
      closed: () => this.lost(connection),
    });
    return connection;
  }

  /** Sends a ping, and replaces the connection if no message follows. */
  protected override silent(): void {
    this.connection?.send(JSON.stringify({ type: 'ping' }));
    this.expectMessage(() => super.silent());
  }

  protected updated(topic: Topic, version: Version, data: unknown): void {
    this.#known.set(topic, version);
    this.#requested.set(topic, version);
    // It may arrive before the reply to the subscription.
    if (this.page.has(topic)) this.page.update(topic, data);
    else this.page.load(topic);
  }

  protected subscribed(topic: Topic, version: Version | null): void {
    // If it sent its version, an update follows in case that is not current.
    if ((this.#requested.get(topic) ?? null) !== null) return;
    if (!this.#loaded.has(topic)) this.page.load(topic);
    this.#loaded.add(topic);
    this.#known.set(topic, version ?? 0);
  }

  protected retryMs(): number {
    return this.#random.between(0, MAX_RECONNECT_DELAY_MS);
  }
}
