import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { ServerMessage, UpdateMessage } from '../../services/shared/protocol/server-message.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { type ClientLine, type Entrance, reaches } from './entrance.ts';
import type { Page } from './page.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClient } from './simulated-client.ts';

/** How it says what it has when it comes back: in the URL, in a message, or not at all. */
export type Resume = 'greeting' | 'message' | 'none';

const MAX_RECONNECT_DELAY_MS = 2000;
/** A line that says nothing for so long is given up. */
const SILENCE_MS = 15_000;

/** A client without the library: what the README says a plain WebSocket needs to do. */
export class PlainClient implements SimulatedClient {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  readonly #resume: Resume;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #entrance: Entrance;
  /** The version of each topic that it has; 0 where it was told that nobody can say. */
  readonly #known = new Map<Topic, Version>();
  #asked = new Map<Topic, Version | null>();
  /** What was fetched because the relay of this line answered for the first time. */
  readonly #loaded = new Set<Topic>();
  /** For which topics the relay of this line has said a number. */
  readonly #vouched = new Set<Topic>();
  #line: ClientLine | undefined;
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
    entrance: Entrance;
  }) {
    this.name = deps.name;
    this.topics = deps.topics;
    this.page = deps.page;
    this.#resume = deps.resume;
    this.#clock = deps.clock;
    this.#random = deps.random;
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
    this.#line?.hangUp(1000);
  }

  #connect(): void {
    if (this.#left) return;
    const since = (topic: Topic) => (this.#resume === 'none' ? null : (this.#known.get(topic) ?? null));
    this.#asked = new Map(this.topics.map((topic) => [topic, since(topic)]));
    this.#fresh = false;
    this.#loaded.clear();
    this.#vouched.clear();
    const names = this.topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
    const versions = [...this.#asked.values()].map((version) => version ?? '').join();
    const query = /\d/.test(versions) ? `${names}&since=${versions}` : names;
    const line = this.#entrance.connect('/ws', this.#resume === 'message' ? '' : query, {
      opened: () => {
        if (this.#resume !== 'message') return;
        line.say(JSON.stringify({ type: 'subscribe', topics: Object.fromEntries(this.#asked) }));
      },
      message: (text) => {
        if (this.#line === line) this.#message(JSON.parse(text));
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
    this.#line = undefined;
    this.#fresh = false;
    this.#clock.after(this.#random.between(0, MAX_RECONNECT_DELAY_MS), () => this.#connect());
  }

  /** Asks for a sign of life from time to time, and gives up a line without any. */
  #listen(): void {
    this.#silence?.cancel();
    this.#silence = this.#clock.after(SILENCE_MS / 2, () => {
      this.#line?.say(JSON.stringify({ type: 'ping' }));
      this.#silence = this.#clock.after(SILENCE_MS / 2, () => {
        this.#line?.hangUp(1001);
        this.#comeBack();
      });
    });
  }

  #message(message: ServerMessage): void {
    this.#listen();
    if (message.type === 'freshness') this.#fresh = message.fresh;
    else if (message.type === 'update') this.#update(message.topic as Topic, message);
    else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) this.#subscribed(topic as Topic, version);
    }
  }

  #update(topic: Topic, { version, data }: UpdateMessage): void {
    this.#known.set(topic, version);
    this.#asked.set(topic, version);
    // It may come before the first answer.
    if (this.page.has(topic)) this.page.update(topic, data);
    else this.page.load(topic);
  }

  #subscribed(topic: Topic, version: Version | null): void {
    const asked = this.#asked.get(topic) ?? null;
    if (version !== null) {
      this.#fresh = true;
      this.#vouched.add(topic);
    }
    // Where it has said what it has, an update follows if that is not current.
    if (asked !== null) return;
    if (!this.#loaded.has(topic)) this.page.load(topic);
    this.#loaded.add(topic);
    this.#known.set(topic, version ?? 0);
  }
}
