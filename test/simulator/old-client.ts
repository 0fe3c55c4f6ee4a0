import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { type ClientLine, type Entrance, reaches } from './entrance.ts';
import type { Page } from './page.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedApp } from './simulated-app.ts';
import type { SimulatedClient } from './simulated-client.ts';

const MAX_RECONNECT_DELAY_MS = 2000;
/** A page of 2009 is not told of what is older than a minute when it comes back: after so long it loads anew. */
const TOO_LONG_MS = 30_000;

/** For how long a fault of Redis may go on to have effects: webhooks and relays must notice, and pace what they tell. */
const AFTERMATH_MS = 10_000;

/**
 * A page of 2009: it fetches when it is loaded and when it hears `UPDATED`; `since` is rendered into it or is not.
 * Without it, it can be told of what changed while it was away by the age of versions only, which needs clocks that
 * go on and a Redis that forgets nothing meanwhile. Otherwise it has to load anew, and here it does.
 */
export class OldClient implements SimulatedClient {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  readonly believesFresh = undefined;
  readonly #topic: Topic;
  readonly #saysSince: boolean;
  readonly #app: SimulatedApp;
  readonly #disturbedAtMs: () => number;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #entrance: Entrance;
  #line: ClientLine | undefined;
  #since: string;
  #aliveAtMs: number;
  #left = false;

  constructor(deps: {
    name: string;
    topic: Topic;
    saysSince: boolean;
    app: SimulatedApp;
    /** When something last happened to a Redis server. */
    disturbedAtMs: () => number;
    page: Page;
    clock: Clock;
    random: SeededRandom;
    entrance: Entrance;
  }) {
    this.name = deps.name;
    this.#topic = deps.topic;
    this.topics = [deps.topic];
    this.page = deps.page;
    this.#saysSince = deps.saysSince;
    this.#app = deps.app;
    this.#disturbedAtMs = deps.disturbedAtMs;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#entrance = deps.entrance;
    this.#since = this.#load();
    this.#aliveAtMs = this.#clock.nowMs();
    this.#connect();
  }

  get line(): ClientLine | undefined {
    return this.#line;
  }

  get hears(): boolean {
    return reaches(this.#line);
  }

  leave(): void {
    this.#left = true;
    this.#line?.hangUp(1000);
  }

  /** Fetches the page; returns the version that the app has rendered into it. */
  #load(told = false): string {
    const version = this.#app.renderedVersion(this.#topic);
    if (told) this.page.update(this.#topic);
    else this.page.load(this.#topic);
    return this.#saysSince && version !== null ? `&since=${version}` : '';
  }

  #connect(): void {
    if (this.#left) return;
    if (this.#clock.nowMs() - this.#aliveAtMs > TOO_LONG_MS) {
      this.#since = this.#load();
      this.#aliveAtMs = this.#clock.nowMs();
    }
    const line = this.#entrance.connect('/update_check', `topic=${this.#topic}${this.#since}`, {
      opened: () => {
        const isDoubtful = this.#disturbedAtMs() > this.#aliveAtMs - AFTERMATH_MS;
        if (isDoubtful && this.#since === '') this.#load();
      },
      message: (text) => {
        if (this.#line !== line) return;
        if (text !== 'UPDATED') throw new Error(`a page of 2009 was told ${text}`);
        this.#since = this.#load(true);
      },
      closed: () => {
        if (this.#line !== line) return;
        this.#line = undefined;
        // Until now its line was alive, and what it was not told was never sent.
        this.#aliveAtMs = Math.max(this.#aliveAtMs, this.#clock.nowMs() - TOO_LONG_MS / 2);
        this.#clock.after(this.#random.between(0, MAX_RECONNECT_DELAY_MS), () => this.#connect());
      },
    });
    this.#line = line;
  }
}
