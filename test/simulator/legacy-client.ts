import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { type ClientConnection, isHealthy, type LoadBalancer } from './load-balancer.ts';
import type { Page } from './page.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedApp } from './simulated-app.ts';
import type { SimulatedClient } from './simulated-client.ts';

const MAX_RECONNECT_DELAY_MS = 2000;
/** A client that was away for longer reloads: on reconnecting it is not notified of updates older than a minute. */
const RELOAD_AFTER_MS = 30_000;

/** The time in which a fault of Redis still has effects: webhooks and relays detect it, and pace their notifications. */
const AFTERMATH_MS = 10_000;

/**
 * A page with the legacy protocol. It fetches when it is loaded and on `UPDATED`; `since` may be rendered into it.
 * Without `since`, a relay recognises what the page missed by the age of versions only, which requires that clocks do
 * not step and Redis loses nothing meanwhile. Otherwise it must reload, and does so here.
 */
export class LegacyClient implements SimulatedClient {
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly page: Page;
  readonly isFresh = undefined;
  readonly #topic: Topic;
  readonly #sendsSince: boolean;
  readonly #app: SimulatedApp;
  readonly #redisFaultAtMs: () => number;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #loadBalancer: LoadBalancer;
  #connection: ClientConnection | undefined;
  #since: string;
  #aliveAtMs: number;
  #left = false;

  constructor(deps: {
    name: string;
    topic: Topic;
    sendsSince: boolean;
    app: SimulatedApp;
    /** Returns the time of the last fault of a Redis server. */
    redisFaultAtMs: () => number;
    page: Page;
    clock: Clock;
    random: SeededRandom;
    loadBalancer: LoadBalancer;
  }) {
    this.name = deps.name;
    this.#topic = deps.topic;
    this.topics = [deps.topic];
    this.page = deps.page;
    this.#sendsSince = deps.sendsSince;
    this.#app = deps.app;
    this.#redisFaultAtMs = deps.redisFaultAtMs;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#loadBalancer = deps.loadBalancer;
    this.#since = this.#load();
    this.#aliveAtMs = this.#clock.nowMs();
    this.#connect();
  }

  get connection(): ClientConnection | undefined {
    return this.#connection;
  }

  get receives(): boolean {
    return isHealthy(this.#connection);
  }

  close(): void {
    this.#left = true;
    this.#connection?.close(1000);
  }

  /** Fetches the page. Returns the query parameter with the version that the app rendered into it. */
  #load(notified = false): string {
    const version = this.#app.renderedVersion(this.#topic);
    if (notified) this.page.update(this.#topic);
    else this.page.load(this.#topic);
    return this.#sendsSince && version !== null ? `&since=${version}` : '';
  }

  #connect(): void {
    if (this.#left) return;
    if (this.#clock.nowMs() - this.#aliveAtMs > RELOAD_AFTER_MS) {
      this.#since = this.#load();
      this.#aliveAtMs = this.#clock.nowMs();
    }
    const connection = this.#loadBalancer.connect('/update_check', `topic=${this.#topic}${this.#since}`, {
      opened: () => {
        const isDoubtful = this.#redisFaultAtMs() > this.#aliveAtMs - AFTERMATH_MS;
        if (isDoubtful && this.#since === '') this.#load();
      },
      message: (text) => {
        if (this.#connection !== connection) return;
        if (text !== 'UPDATED') throw new Error(`a legacy client received ${text}`);
        this.#since = this.#load(true);
      },
      closed: () => {
        if (this.#connection !== connection) return;
        this.#connection = undefined;
        // Its connection was alive until now, so what it did not receive was never sent.
        this.#aliveAtMs = Math.max(this.#aliveAtMs, this.#clock.nowMs() - RELOAD_AFTER_MS / 2);
        this.#clock.after(this.#random.between(0, MAX_RECONNECT_DELAY_MS), () => this.#connect());
      },
    });
    this.#connection = connection;
  }
}
