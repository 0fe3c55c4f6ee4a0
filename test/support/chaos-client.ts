import WebSocket from 'ws';
import { preciseNowMs } from '../../services/loadtest/timing/precise-now.ts';
import type { Ledger } from './ledger.ts';

/** A notification that a client received, with the version if its protocol has one. */
interface Notification {
  readonly version: number;
  readonly atMs: number;
}

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 500;

/**
 * A browser that displays exactly what its last notification stands for, and reconnects to any relay when its
 * connection breaks. A client of `/ws` resumes with its versions; a legacy client has none.
 */
export class ChaosClient {
  readonly kind: 'websocket' | 'legacy';
  readonly topics: readonly string[];
  /** The freshness messages received. */
  readonly freshness: { readonly fresh: boolean; readonly atMs: number }[] = [];
  /** The number of times that its connection broke. */
  disconnects = 0;
  readonly #relays: () => readonly string[];
  readonly #notifications = new Map<string, Notification[]>();
  #relay = '';
  #socket: WebSocket | undefined;
  #retryMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  #ended = false;

  /** @param deps.relays returns the addresses to choose from at every connect */
  constructor(deps: {
    kind: 'websocket' | 'legacy';
    topics: readonly string[];
    relays: () => readonly string[];
    first?: string;
  }) {
    this.kind = deps.kind;
    this.topics = deps.topics;
    this.#relays = deps.relays;
    this.#connect(deps.first);
  }

  /** The address of its relay. */
  get relay(): string {
    return this.#relay;
  }

  /** Whether it has fetched its page and is subscribed to all of its topics. */
  get isSubscribed(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN && this.topics.every((topic) => this.#notifications.has(topic));
  }

  /** Whether its relay reports to be fresh; true if its protocol has no freshness. */
  get isFresh(): boolean {
    return this.freshness.at(-1)?.fresh ?? true;
  }

  /** Returns the topics of which it has received neither the newest acknowledged update nor a later one. */
  behind(ledger: Ledger): readonly string[] {
    return this.topics.filter((topic) => {
      if (this.kind === 'websocket') return this.version(topic) < ledger.version(topic);
      return (this.#notifications.get(topic)?.at(-1)?.atMs ?? 0) < ledger.sentAtMs(topic);
    });
  }

  /** Returns whether it received this update or a later one. */
  hasReceived(update: { topic: string; version: number; sentAtMs: number }): boolean {
    if (this.kind === 'websocket') return this.version(update.topic) >= update.version;
    return (this.#notifications.get(update.topic)?.at(-1)?.atMs ?? 0) >= update.sentAtMs;
  }

  /** Returns the version that it would resume with; 0 if it has none. */
  version(topic: string): number {
    return this.#notifications.get(topic)?.at(-1)?.version ?? 0;
  }

  /** Returns the number of notifications since a time that no acknowledged update preceded. */
  spurious(ledger: Ledger, sinceMs: number): number {
    let count = 0;
    for (const [topic, notifications] of this.#notifications) {
      const updates = ledger.of(topic);
      const newest = ({ version, atMs }: Notification) =>
        updates.reduce((last, update) => {
          const known = this.kind === 'websocket' ? update.version <= version : update.sentAtMs <= atMs;
          return known ? Math.max(last, update.version) : last;
        }, 0);
      const seen = notifications.map(newest);
      count += notifications.filter(({ atMs }, i) => i > 0 && atMs >= sinceMs && seen[i] === seen[i - 1]).length;
    }
    return count;
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
    this.#socket?.terminate();
  }

  #connect(relay = this.#chooseRelay()): void {
    this.#relay = relay;
    const socket = new WebSocket(relay + this.#path(), { perMessageDeflate: false, handshakeTimeout: 5000 });
    this.#socket = socket;
    socket.on('open', () => {
      this.#retryMs = FIRST_RETRY_MS;
      // A legacy client fetches when it connects for the first time, and later only when it is notified.
      if (this.kind === 'legacy' && this.#notifications.size === 0)
        for (const topic of this.topics) this.#record(topic, 0);
    });
    socket.on('message', (data) => this.#message(String(data)));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => this.#closed());
  }

  #chooseRelay(): string {
    const relays = this.#relays();
    return relays[Math.floor(Math.random() * relays.length)] ?? '';
  }

  #path(): string {
    const query = this.topics.map((topic) => `topic=${topic}`).join('&');
    if (this.kind === 'legacy') return `/update_check?${query}`;
    const since = this.topics.map((topic) => this.version(topic) || '').join(',');
    return `/ws?${query}&since=${since}`;
  }

  #message(text: string): void {
    if (this.kind === 'legacy') {
      for (const topic of this.topics) this.#record(topic, 0);
      return;
    }
    const message = JSON.parse(text);
    if (message.type === 'update') this.#record(message.topic, message.version);
    else if (message.type === 'freshness') this.freshness.push({ fresh: message.fresh, atMs: preciseNowMs() });
    else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        // The first version is that of the page, which was just fetched; later ones are no notifications.
        if (version !== null && !this.#notifications.has(topic)) this.#record(topic, version as number);
      }
    }
  }

  #record(topic: string, version: number): void {
    const notifications = this.#notifications.get(topic) ?? [];
    notifications.push({ version, atMs: preciseNowMs() });
    this.#notifications.set(topic, notifications);
  }

  #closed(): void {
    if (this.#ended) return;
    this.disconnects += 1;
    // On a new connection a relay reports that it is stale, but not that it is fresh.
    if (!this.isFresh) this.freshness.push({ fresh: true, atMs: preciseNowMs() });
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }
}
