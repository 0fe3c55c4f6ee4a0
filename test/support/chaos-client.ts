import WebSocket from 'ws';
import { preciseNowMs } from '../../services/loadtest/timing/precise-now.ts';
import type { Ledger } from './ledger.ts';

/** When a client was told a topic, and under which version where its protocol says one. */
interface Telling {
  readonly version: number;
  readonly atMs: number;
}

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 500;

/**
 * A browser, as strict as can be: what it shows is as new as the last time it was told, and it comes back to any
 * relay when its line breaks. A client of `/ws` resumes with the versions it has; one of 2009 knows nothing.
 */
export class ChaosClient {
  readonly kind: 'websocket' | 'update_check';
  readonly topics: readonly string[];
  /** What it was told about whether its relay can vouch for what it says. */
  readonly freshness: { readonly fresh: boolean; readonly atMs: number }[] = [];
  /** Times that its line broke. */
  breaks = 0;
  readonly #relays: () => readonly string[];
  readonly #told = new Map<string, Telling[]>();
  #relay = '';
  #socket: WebSocket | undefined;
  #retryMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  #ended = false;

  /** `relays` names the addresses to choose from at every connect. */
  constructor(deps: {
    kind: 'websocket' | 'update_check';
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

  /** Whether it has fetched its page and listens to all of its topics. */
  get listens(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN && this.topics.every((topic) => this.#told.has(topic));
  }

  /** Whether its relay says that it can vouch for what it says, as far as its protocol knows. */
  get isFresh(): boolean {
    return this.freshness.at(-1)?.fresh ?? true;
  }

  /** The topics of which it has not been told the newest acknowledged update, nor anything later. */
  behind(ledger: Ledger): readonly string[] {
    return this.topics.filter((topic) => {
      if (this.kind === 'websocket') return this.version(topic) < ledger.version(topic);
      return (this.#told.get(topic)?.at(-1)?.atMs ?? 0) < ledger.sentAtMs(topic);
    });
  }

  /** Whether it was told of this update or of a later one. */
  hasHeardOf(update: { topic: string; version: number; sentAtMs: number }): boolean {
    if (this.kind === 'websocket') return this.version(update.topic) >= update.version;
    return (this.#told.get(update.topic)?.at(-1)?.atMs ?? 0) >= update.sentAtMs;
  }

  /** The version it would resume with; 0 for none. */
  version(topic: string): number {
    return this.#told.get(topic)?.at(-1)?.version ?? 0;
  }

  /** How often it was told since then without an acknowledged update since the last time. */
  spurious(ledger: Ledger, sinceMs: number): number {
    let count = 0;
    for (const [topic, tellings] of this.#told) {
      const updates = ledger.of(topic);
      const newest = ({ version, atMs }: Telling) =>
        updates.reduce((last, update) => {
          const known = this.kind === 'websocket' ? update.version <= version : update.sentAtMs <= atMs;
          return known ? Math.max(last, update.version) : last;
        }, 0);
      const seen = tellings.map(newest);
      count += tellings.filter(({ atMs }, i) => i > 0 && atMs >= sinceMs && seen[i] === seen[i - 1]).length;
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
      // A page of 2009 is fetched when its line stands for the first time, and later only when it is told to.
      if (this.kind === 'update_check' && this.#told.size === 0) for (const topic of this.topics) this.#tell(topic, 0);
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
    if (this.kind === 'update_check') return `/update_check?${query}`;
    const since = this.topics.map((topic) => this.version(topic) || '').join(',');
    return `/ws?${query}&since=${since}`;
  }

  #message(text: string): void {
    if (this.kind === 'update_check') {
      for (const topic of this.topics) this.#tell(topic, 0);
      return;
    }
    const message = JSON.parse(text);
    if (message.type === 'update') this.#tell(message.topic, message.version);
    else if (message.type === 'freshness') this.freshness.push({ fresh: message.fresh, atMs: preciseNowMs() });
    else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        // The first number names what the page shows, since it was just fetched; later ones tell nothing by themselves.
        if (version !== null && !this.#told.has(topic)) this.#tell(topic, version as number);
      }
    }
  }

  #tell(topic: string, version: number): void {
    const told = this.#told.get(topic) ?? [];
    told.push({ version, atMs: preciseNowMs() });
    this.#told.set(topic, told);
  }

  #closed(): void {
    if (this.#ended) return;
    this.breaks += 1;
    // A new line says so where its relay is not fresh, and says nothing where it is.
    if (!this.isFresh) this.freshness.push({ fresh: true, atMs: preciseNowMs() });
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }
}
