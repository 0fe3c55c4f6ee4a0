import { Heliograph } from '../../services/client/heliograph-client.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { ClientLine, Entrance } from './entrance.ts';
import type { Page } from './page.ts';
import type { SimulatedApp } from './simulated-app.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { createSimulatedWebSocket } from './simulated-web-socket.ts';

/**
 * A page that uses the client library. It fetches a topic when the relay first answers for it, or shows what its
 * server rendered into it, with the versions; from then on it fetches only when told.
 */
export class LibraryClient implements SimulatedClient {
  readonly name: string;
  readonly page: Page;
  readonly #heliograph: Heliograph;
  readonly #topics: Set<Topic>;
  readonly #givenUp = new Set<Topic>();
  #line: ClientLine | undefined;

  constructor(deps: {
    name: string;
    topics: readonly Topic[];
    rendered: boolean;
    app: SimulatedApp;
    page: Page;
    entrance: Entrance;
  }) {
    const { name, topics, rendered, app, page, entrance } = deps;
    this.name = name;
    this.page = page;
    this.#topics = new Set(topics);
    const since: Record<string, number | null> = {};
    for (const topic of rendered ? topics : []) {
      since[topic] = app.renderedVersion(topic);
      // Without a number nobody could say whether what it shows is current when the relay answers.
      if (since[topic] !== null) page.load(topic);
    }
    this.#heliograph = new Heliograph('http://relay', {
      topics,
      since,
      transports: ['websocket'],
      WebSocket: createSimulatedWebSocket({
        entrance,
        opened: (line) => {
          this.#line = line;
          this.#givenUp.clear();
        },
        subscribed: (answered) => {
          for (const topic of answered) if (this.#topics.has(topic) && !page.has(topic)) page.load(topic);
        },
      }),
    });
    this.#heliograph.on('update', ({ topic, data }) => page.update(topic as Topic, data));
  }

  get topics(): readonly Topic[] {
    return [...this.#topics];
  }

  get line(): ClientLine | undefined {
    return this.#line;
  }

  get believesFresh(): boolean {
    return this.#heliograph.status === 'live';
  }

  /**
   * Listens to one more topic; false for one that it gave up on this line, where an answer could not be told from
   * one to the first time.
   */
  subscribe(topic: Topic): boolean {
    if (this.#givenUp.has(topic)) return false;
    this.#topics.add(topic);
    this.#heliograph.subscribe(topic);
    return true;
  }

  unsubscribe(topic: Topic): void {
    this.#topics.delete(topic);
    this.#givenUp.add(topic);
    this.page.forget(topic);
    this.#heliograph.unsubscribe(topic);
  }

  leave(): void {
    this.#heliograph.close();
  }
}
