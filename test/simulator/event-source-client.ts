import { createEventReader } from '../../services/client/event-stream.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import type { ClientConnection } from './load-balancer.ts';
import { PlainClient, type PlainClientDeps } from './plain-client.ts';

/** A page with a native `EventSource`, which reconnects with `Last-Event-ID`. */
export class EventSourceClient extends PlainClient {
  /** Relays send pings more often. */
  protected readonly silenceMs = 20_000;
  #lastEventId = '';
  #retryMs = 3000;

  constructor(deps: PlainClientDeps) {
    super(deps);
    this.connect();
  }

  protected open(): ClientConnection {
    const url = new URL('http://relay/events');
    for (const topic of this.topics) url.searchParams.append('topic', topic);
    const read = createEventReader(({ id, retry, event, data }) => {
      if (retry !== undefined) this.#retryMs = Number(retry);
      if (id !== undefined) this.#lastEventId = id;
      if (event !== 'ping' && data) this.message(JSON.parse(data));
    });
    const headers: Record<string, string> = this.#lastEventId ? { 'last-event-id': this.#lastEventId } : {};
    const connection = this.loadBalancer.request(url, headers, {
      head() {},
      chunk: (text) => this.arrived(connection, () => read(text)),
      closed: () => this.lost(connection),
    });
    return connection;
  }

  protected subscribed(topic: Topic): void {
    if (!this.page.has(topic)) this.page.load(topic);
  }

  protected updated(topic: Topic, _version: Version, data: unknown): void {
    this.page.update(topic, data);
  }

  protected retryMs(): number {
    return this.#retryMs;
  }
}
