import { Heliograph, type TransportName } from '../../services/client/heliograph-client.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { type ClientLine, type Entrance, reaches } from './entrance.ts';
import type { Page } from './page.ts';
import type { SimulatedApp } from './simulated-app.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { createSimulatedFetch } from './simulated-fetch.ts';
import { createSimulatedWebSocket } from './simulated-web-socket.ts';

/**
 * A page that uses the client library. It fetches a topic when the relay first answers for it, or shows what its
 * server rendered into it, with the versions; from then on it fetches only when told.
 */
export class LibraryClient implements SimulatedClient {
  readonly name: string;
  readonly page: Page;
  /** What the library's `fetch` does. */
  readonly fetch: typeof fetch;
  readonly #heliograph: Heliograph;
  readonly #topics: Set<Topic>;
  readonly #transport: TransportName;
  readonly #givenUp = new Set<Topic>();
  /** Those that are not over, and the newest. */
  readonly #lines = new Set<ClientLine>();
  #line: ClientLine | undefined;

  constructor(deps: {
    name: string;
    topics: readonly Topic[];
    rendered: boolean;
    transport: TransportName;
    app: SimulatedApp;
    page: Page;
    entrance: Entrance;
    /** Told of the client before it asks for anything. */
    ready(client: LibraryClient): void;
  }) {
    const { name, topics, rendered, transport, app, page, entrance } = deps;
    this.name = name;
    this.page = page;
    this.#transport = transport;
    this.#topics = new Set(topics);
    const since: Record<string, number | null> = {};
    for (const topic of rendered ? topics : []) {
      since[topic] = app.renderedVersion(topic);
      // Without a number nobody could say whether what it shows is current when the relay answers.
      if (since[topic] !== null) page.load(topic);
    }
    const opened = (line: ClientLine) => {
      this.#line = line;
      this.#lines.add(line);
      this.#givenUp.clear();
    };
    const ended = (line: ClientLine) => void this.#lines.delete(line);
    const subscribed = (answered: readonly Topic[]) => {
      for (const topic of answered) if (this.#topics.has(topic) && !page.has(topic)) page.load(topic);
    };
    this.fetch = createSimulatedFetch({ entrance, opened, ended });
    deps.ready(this);
    this.#heliograph = new Heliograph(`http://${name}`, {
      topics,
      since,
      transports: [transport],
      WebSocket: createSimulatedWebSocket({ entrance, opened, ended, subscribed }),
    });
    this.#heliograph.on('subscribed', ({ topic }) => subscribed([topic as Topic]));
    this.#heliograph.on('update', ({ topic, data }) => page.update(topic as Topic, data));
  }

  get topics(): readonly Topic[] {
    return [...this.#topics];
  }

  get line(): ClientLine | undefined {
    return this.#line;
  }

  get hears(): boolean {
    if (this.#needsNoLine) return true;
    // Between two requests there is no line.
    return this.#heliograph.status === 'live' ? [...this.#lines].every(reaches) : reaches(this.#line);
  }

  get believesFresh(): boolean | undefined {
    return this.#needsNoLine ? undefined : this.#heliograph.status === 'live';
  }

  /** Whether it asks again and again. */
  get polls(): boolean {
    return this.#transport === 'longpoll';
  }

  /** Over plain HTTP who listens to nothing asks for nothing. */
  get #needsNoLine(): boolean {
    return this.#transport !== 'websocket' && this.#topics.size === 0;
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
