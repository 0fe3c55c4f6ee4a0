import { createEventReader } from '../../services/client/event-stream.ts';
import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { ServerMessage } from '../../services/shared/protocol/server-message.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { type ClientLine, type Entrance, reaches } from './entrance.ts';
import type { Page } from './page.ts';
import type { SimulatedClient } from './simulated-client.ts';

/** A stream without any event for so long is made anew by the page, as relays show signs of life. */
const SILENCE_MS = 20_000;

/** A page with a native `EventSource`, which comes back with the id that it got last. */
export class EventSourceClient implements SimulatedClient {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  readonly #clock: Clock;
  readonly #entrance: Entrance;
  /** For which topics the relay of this stream has said a number. */
  readonly #vouched = new Set<Topic>();
  #line: ClientLine | undefined;
  #lastEventId = '';
  #retryMs = 3000;
  #fresh = false;
  #silence: Timer | undefined;
  #left = false;

  constructor(deps: { name: string; topics: readonly Topic[]; page: Page; clock: Clock; entrance: Entrance }) {
    this.name = deps.name;
    this.topics = deps.topics;
    this.page = deps.page;
    this.#clock = deps.clock;
    this.#entrance = deps.entrance;
    this.#connect();
  }

  get line(): ClientLine | undefined {
    return this.#line;
  }

  get hears(): boolean {
    return reaches(this.#line);
  }

  get believesFresh(): boolean {
    return this.#fresh && this.topics.every((topic) => this.#vouched.has(topic));
  }

  leave(): void {
    this.#left = true;
    this.#silence?.cancel();
    this.#line?.hangUp(1000);
  }

  #connect(): void {
    if (this.#left) return;
    this.#fresh = true; // a relay that is not says so
    this.#vouched.clear();
    const url = new URL('http://relay/events');
    for (const topic of this.topics) url.searchParams.append('topic', topic);
    const read = createEventReader(({ id, retry, event, data }) => {
      if (retry !== undefined) this.#retryMs = Number(retry);
      if (id !== undefined) this.#lastEventId = id;
      if (event !== 'ping' && data) this.#message(JSON.parse(data));
    });
    const headers: Record<string, string> = this.#lastEventId ? { 'last-event-id': this.#lastEventId } : {};
    const line = this.#entrance.request(url, headers, {
      head() {},
      chunk: (text) => {
        if (this.#line !== line) return;
        this.#listen();
        read(text);
      },
      closed: () => {
        if (this.#line === line) this.#comeBack();
      },
    });
    this.#line = line;
    this.#listen();
  }

  #comeBack(): void {
    this.#silence?.cancel();
    this.#line?.hangUp(1001);
    this.#line = undefined;
    this.#fresh = false;
    this.#clock.after(this.#retryMs, () => this.#connect());
  }

  #listen(): void {
    this.#silence?.cancel();
    this.#silence = this.#clock.after(SILENCE_MS, () => this.#comeBack());
  }

  #message(message: ServerMessage): void {
    if (message.type === 'freshness') this.#fresh = message.fresh;
    else if (message.type === 'update') this.page.update(message.topic as Topic, message.data);
    else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version !== null) this.#vouched.add(topic as Topic);
        if (!this.page.has(topic as Topic)) this.page.load(topic as Topic);
      }
    }
  }
}
