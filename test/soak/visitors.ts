import { setTimeout as wait } from 'node:timers/promises';
import { SseClient } from '../support/sse-client.ts';
import { signToken } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

/** The longest visit. */
const VISIT_MS = 4000;
/** Tokens that expire while their clients are connected. */
const TOKEN_S = 2;

type Visit = (relay: string, topics: readonly string[], stayMs: number) => Promise<void>;

const query = (topics: readonly string[]) => topics.map((topic) => `topic=${topic}`).join('&');

/** Subscribes, subscribes to more by message, unsubscribes, and leaves with or without a close frame. */
const byWebSocket: Visit = async (relay, [first = '', ...others], stayMs) => {
  using client = await WsClient.open(`${relay.replace('http', 'ws')}/ws?topic=${first}&since=1`);
  client.send({ type: 'subscribe', topics: Object.fromEntries(others.map((topic) => [topic, null])) });
  client.send({ type: 'ping' });
  await wait(stayMs / 2);
  client.send({ type: 'unsubscribe', topics: others });
  await wait(stayMs / 2);
  if (stayMs % 2 < 1) client.close();
};

/** Presents a token, and stays until it has expired. */
const byToken: Visit = async (relay, topics, stayMs) => {
  const exp = Math.floor(Date.now() / 1000) + TOKEN_S;
  const token = await signToken({ topics: ['private/*'], exp });
  const names = topics.map((topic) => `private/${topic}`);
  using client = await WsClient.open(`${relay.replace('http', 'ws')}/ws?${query(names)}&token=${token}`);
  await wait(Math.max(stayMs, TOKEN_S * 1000 + 500));
  client.close();
};

/** Reads nothing for a while. */
const slowly: Visit = async (relay, topics, stayMs) => {
  using client = await WsClient.open(`${relay.replace('http', 'ws')}/ws?${query(topics)}`);
  client.pause();
  await wait(stayMs);
  client.resume();
};

const byEvents: Visit = async (relay, topics, stayMs) => {
  using _ = await SseClient.open(`${relay}/events?${query(topics)}`);
  await wait(stayMs);
};

/** Waits for an update, or leaves before it comes. */
const byLongPoll: Visit = async (relay, [topic = ''], stayMs) => {
  const read = await fetch(`${relay}/topics/${topic}`);
  await read.arrayBuffer();
  const headers = { 'if-none-match': read.headers.get('etag') ?? '', prefer: 'wait=20' };
  const response = await fetch(`${relay}/topics/${topic}`, { headers, signal: AbortSignal.timeout(stayMs) });
  await response.arrayBuffer();
};

const byLegacyProtocol: Visit = async (relay, [topic = ''], stayMs) => {
  using client = await WsClient.open(`${relay.replace('http', 'ws')}/update_check?topic=${topic}`);
  await wait(stayMs);
  client.close();
};

/** Asks for what every port refuses. */
const wrongly: Visit = async (relay, [topic = ''], stayMs) => {
  for (const path of ['/nothing', `/events?topic=${topic}&since=x`, `/topics/${topic}?token=x`, '/ws']) {
    const response = await fetch(`${relay}${path}`);
    await response.arrayBuffer();
  }
  await wait(stayMs / 4);
};

const VISITS: readonly Visit[] = [
  byWebSocket,
  byWebSocket,
  byToken,
  slowly,
  byEvents,
  byLongPoll,
  byLegacyProtocol,
  wrongly,
];

/** Clients of every kind that come and go. */
export class Visitors {
  readonly #relays: () => readonly string[];
  readonly #topics: readonly string[];
  #isOpen = false;
  #loops: Promise<void>[] = [];
  /** Visits that have ended, and those of them that failed, as those to a relay that was killed. */
  readonly counts = { ended: 0, failed: 0 };

  /** @param deps.relays returns the URLs of the relays that accept clients */
  constructor(deps: { relays: () => readonly string[]; topics: readonly string[] }) {
    this.#relays = deps.relays;
    this.#topics = deps.topics;
  }

  /** Lets this number of visitors in at a time, until `leave`. */
  come(count: number): void {
    this.#isOpen = true;
    this.#loops = Array.from({ length: count }, (_, i) => this.#visit(i));
  }

  /** Lets no more visitors in; resolves once the last one has left. */
  async leave(): Promise<void> {
    this.#isOpen = false;
    await Promise.all(this.#loops);
  }

  async #visit(first: number): Promise<void> {
    for (let n = first; this.#isOpen; n += 1) {
      const relays = this.#relays();
      const relay = relays[n % relays.length] ?? '';
      const topics = Array.from(
        { length: 3 },
        () => this.#topics[Math.floor(Math.random() * this.#topics.length)] ?? '',
      );
      const visit = VISITS[n % VISITS.length] as Visit;
      try {
        await visit(relay, topics, Math.random() * VISIT_MS);
      } catch {
        this.counts.failed += 1;
        await wait(100);
      }
      this.counts.ended += 1;
    }
  }
}
