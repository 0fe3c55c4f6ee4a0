import WebSocket from 'ws';
import {
  Heliograph,
  type Status,
  type TopicUpdate,
  type TransportName,
} from '../../services/client/heliograph-client.ts';
import type { Ledger } from './ledger.ts';

/** A page with the client library, which fetches its content when it subscribes and then only when it is notified. */
export class LibraryReader {
  readonly topics: readonly string[];
  readonly transport: TransportName;
  readonly updates: TopicUpdate[] = [];
  readonly #versions = new Map<string, number>();
  readonly #client: Heliograph;

  constructor(url: string, transport: TransportName, topics: readonly string[]) {
    this.topics = topics;
    this.transport = transport;
    this.#client = new Heliograph(url, { WebSocket, topics, transports: [transport] });
    this.#client.on('subscribed', ({ topic, version }) => {
      if (!this.#versions.has(topic)) this.#versions.set(topic, version);
    });
    this.#client.on('update', (update) => {
      this.updates.push(update);
      this.#versions.set(update.topic, update.version);
    });
  }

  get status(): Status {
    return this.#client.status;
  }

  /** Whether the library reports that its content is current, or is about to be. */
  get isFresh(): boolean {
    return this.status === 'live';
  }

  get isSubscribed(): boolean {
    return this.isFresh && this.topics.every((topic) => this.#versions.has(topic));
  }

  /** Returns the version of which it was notified last; 0 if there is none. */
  version(topic: string): number {
    return this.#versions.get(topic) ?? 0;
  }

  behind(ledger: Ledger): readonly string[] {
    return this.topics.filter((topic) => this.version(topic) < ledger.version(topic));
  }

  end(): void {
    this.#client.close();
  }
}
