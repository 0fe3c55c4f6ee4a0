import { CLOSE_CODES, mayRetry } from '../shared/protocol/close-codes.ts';
import type { ServerMessage } from '../shared/protocol/server-message.ts';
import { Backoff } from './backoff.ts';
import type { Known, Line, OpenLine } from './transport.ts';

/**
 * `connecting`: a line is being made. `live`: the relay vouches for what it says. `stale`: it cannot at the
 * moment. `offline`: there is no line, and none is being made just now.
 */
export type Status = 'connecting' | 'live' | 'stale' | 'offline';

/** A line that says nothing for so long when it should open is given up. */
const OPEN_MS = 8_000;
const SILENCE_MS = 30_000;
const ANSWER_MS = 10_000;
/** A connection that held for so long starts the delays anew. */
const LIVED_MS = 10_000;
/** The longest that a relay may send a client away for. */
const MAX_AWAY_MS = 60_000;
/** After these the relay is full or angry: the delays begin as if there had been so many tries. */
const PATIENT_TRIES = 3;
const PATIENT_CODES: readonly number[] = [CLOSE_CODES.abuse, CLOSE_CODES.tooBig, CLOSE_CODES.full, CLOSE_CODES.tooFast];

/** What a connector needs. */
export interface ConnectorDeps {
  readonly url: string;
  readonly open: OpenLine;
  /** What to listen to, with what is known; read at each connection. */
  readonly topics: Known;
  message(message: ServerMessage): void;
  status(status: Status): void;
}

/** Keeps one line to a relay, never two, and makes it anew where it ends. */
export class Connector {
  readonly #deps: ConnectorDeps;
  readonly #backoff = new Backoff();
  #line: Line | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #heard = false;
  #heardAtMs = 0;
  #provedAtMs = 0;
  #fresh = true;
  #unanswered = new Set<string>();
  /** Sent away by the relay: not even a sign of the browser brings it back earlier. */
  #away = false;
  #closed = false;
  readonly #wake = () => this.wake();
  readonly #visible = () => {
    if (!document.hidden) this.wake();
  };

  constructor(deps: ConnectorDeps) {
    this.#deps = deps;
    globalThis.addEventListener?.('online', this.#wake);
    globalThis.document?.addEventListener('visibilitychange', this.#visible);
  }

  /** Begins to connect, unless that is so already. */
  connect(): void {
    if (this.#closed || this.#line) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#away = false;
    this.#heard = false;
    this.#provedAtMs = 0;
    this.#fresh = true;
    this.#unanswered = new Set(this.#deps.topics.keys());
    this.#deps.status('connecting');
    this.#line = this.#deps.open({
      url: this.#deps.url,
      topics: this.#deps.topics,
      token: undefined,
      message: (message) => this.#message(message),
      closed: (code, reason) => this.#lost(code, reason),
    });
    this.#listen(OPEN_MS);
  }

  subscribe(topics: Known): void {
    if (!this.#provedAtMs) for (const topic of topics.keys()) this.#unanswered.add(topic);
    if (this.#line) this.#line.subscribe(topics);
    else if (this.#retry === undefined) this.connect();
  }

  unsubscribe(topic: string): void {
    this.#unanswered.delete(topic);
    this.#line?.unsubscribe([topic]);
    // The answer that was waited for may not come any more: another one shows as well that the relay is there.
    if (!this.#provedAtMs && this.#unanswered.size === 0) this.#line?.ping();
  }

  /** The network or the tab came back: looks at once whether the line is alive, or makes one. */
  wake(): void {
    if (this.#line) this.#probe();
    else if (this.#retry !== undefined && !this.#away) this.connect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#end();
    globalThis.removeEventListener?.('online', this.#wake);
    globalThis.document?.removeEventListener('visibilitychange', this.#visible);
    this.#deps.status('offline');
  }

  #message(message: ServerMessage): void {
    this.#heard = true;
    this.#heardAtMs = Date.now();
    this.#listen(SILENCE_MS);
    if (message.type === 'freshness') this.#fresh = message.fresh;
    if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version !== null) this.#unanswered.delete(topic);
      }
    }
    if (message.type === 'error' && message.topic !== undefined) this.#unanswered.delete(message.topic);
    if (!this.#provedAtMs && this.#unanswered.size === 0 && message.type !== 'freshness') this.#provedAtMs = Date.now();
    this.#deps.message(message);
    if (this.#line) this.#deps.status(!this.#fresh ? 'stale' : this.#provedAtMs ? 'live' : 'connecting');
  }

  /** Waits for the next sign of life; one timer that is looked at late is cheaper than one a message. */
  #listen(ms: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (this.#heard) this.#probe();
      else this.#lost(1006, '');
    }, ms);
  }

  #probe(): void {
    this.#line?.ping();
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(1006, ''), this.#heard ? ANSWER_MS : OPEN_MS);
  }

  #lost(code: number, reason: string): void {
    const lived = this.#provedAtMs > 0 && this.#heardAtMs - this.#provedAtMs >= LIVED_MS;
    this.#end();
    if (lived) this.#backoff.reset();
    this.#deps.status('offline');
    if (!mayRetry(code)) return;
    this.#away = code === CLOSE_CODES.drain && /^\d+$/.test(reason);
    const delayMs = this.#away
      ? Math.min(Number(reason), MAX_AWAY_MS)
      : this.#backoff.nextMs(PATIENT_CODES.includes(code) ? PATIENT_TRIES : 0);
    this.#retry = setTimeout(() => this.connect(), delayMs);
  }

  #end(): void {
    clearTimeout(this.#silence);
    const line = this.#line;
    this.#line = undefined;
    line?.close();
  }
}
