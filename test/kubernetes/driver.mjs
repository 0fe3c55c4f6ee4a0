// Runs in a pod of the product's image: clients of all transports, a publisher, and an oracle that compares what was
// acknowledged with what each client received. `GET /report` returns the figures since `POST /reset`.
// Settings: RELAY_URL, WEBHOOK_URL, WEBHOOK_TOKEN, CLIENTS (a quarter of each transport), RATE (calls per second).
import { createServer } from 'node:http';

const {
  RELAY_URL = 'http://relay:8080',
  WEBHOOK_URL = 'http://webhook:8090/webhook',
  WEBHOOK_TOKEN = '',
} = process.env;
const { LIBRARY = '/app/dist/client/heliograph-client.js', PORT = '9999' } = process.env;
const CLIENTS = Number(process.env.CLIENTS ?? 400);
const RATE = Number(process.env.RATE ?? 4);
const TOPICS = Array.from({ length: 8 }, (_, i) => `driver/${i}`);
/** A client that misses an acknowledged update for longer is behind. */
const BEHIND_AFTER_MS = 10_000;
/** How long a client without the library waits before it reconnects: at random, at most this long. */
const RECONNECT_WITHIN_MS = 1000;

/** A busy machine is slow: only a call without an answer has failed. */
const CALL_TIMEOUT_MS = 30_000;

const { Heliograph } = await import(LIBRARY);
const nowMs = () => performance.now();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The newest acknowledged version of each topic, and when each version was published. */
const acknowledged = new Map();
const publishedAtMs = new Map();

const figures = { calls: 0, failed: [], delaysMs: [], opened: 0, openedBySecond: new Map(), refused: 0, stale: 0 };
function reset() {
  Object.assign(figures, {
    calls: 0,
    failed: [],
    delaysMs: [],
    opened: 0,
    openedBySecond: new Map(),
    refused: 0,
    stale: 0,
  });
  for (const client of clients) client.moves = 0;
}

const clients = [];

/** One client of one topic. */
class Client {
  constructor(kind, topic) {
    Object.assign(this, { kind, topic, version: undefined, isOpen: false, moves: 0, connections: 0 });
  }

  opened() {
    this.isOpen = true;
    this.connections += 1;
    if (this.connections === 1) return;
    this.moves += 1;
    figures.opened += 1;
    const second = Math.floor(nowMs() / 1000);
    figures.openedBySecond.set(second, (figures.openedBySecond.get(second) ?? 0) + 1);
  }

  received(version) {
    if (!(version > (this.version ?? 0))) return;
    this.version = version;
    const atMs = publishedAtMs.get(version);
    if (atMs !== undefined) figures.delaysMs.push(nowMs() - atMs);
  }
}

function runLibrary(client) {
  const heliograph = new Heliograph(RELAY_URL, { topics: [client.topic] });
  heliograph.on('update', ({ version }) => client.received(version));
  heliograph.on('subscribed', ({ version }) => client.received(version));
  heliograph.on('status', (status) => {
    if (status === 'live' && !client.isOpen) client.opened();
    if (status === 'stale') figures.stale += 1;
    if (status === 'offline' || status === 'connecting') client.isOpen = false;
  });
}

function runWebSocket(client) {
  const since = client.version === undefined ? '' : `&since=${client.version}`;
  const url = `${RELAY_URL.replace('http', 'ws')}/ws?topic=${encodeURIComponent(client.topic)}${since}`;
  const socket = new WebSocket(url);
  socket.onopen = () => client.opened();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'update') client.received(message.version);
    if (message.type === 'subscribed') client.received(message.topics[client.topic]);
    if (message.type === 'freshness' && !message.fresh) figures.stale += 1;
  };
  socket.onclose = async ({ code, reason }) => {
    if (!client.isOpen) figures.refused += 1;
    client.isOpen = false;
    const askedMs = code === 1012 && /^\d+$/.test(reason) ? Number(reason) : 0;
    await sleep(askedMs + Math.random() * RECONNECT_WITHIN_MS);
    runWebSocket(client);
  };
}

async function runSse(client) {
  let lastEventId = '';
  for (;;) {
    try {
      const headers = lastEventId ? { 'last-event-id': lastEventId } : {};
      const response = await fetch(`${RELAY_URL}/events?topic=${encodeURIComponent(client.topic)}`, { headers });
      if (!response.ok) throw new Error(`status ${response.status}`);
      client.opened();
      let text = '';
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const events = text.split('\n\n');
        text = events.pop();
        for (const event of events) {
          const field = (name) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(event)?.[1];
          lastEventId = field('id') ?? lastEventId;
          const data = field('data') ? JSON.parse(field('data')) : {};
          if (field('event') === 'update') client.received(data.version);
          if (field('event') === 'subscribed') client.received(data.topics?.[client.topic]);
        }
      }
    } catch {
      if (!client.isOpen) figures.refused += 1;
    }
    client.isOpen = false;
    await sleep(Math.random() * RECONNECT_WITHIN_MS);
  }
}

async function runLongPoll(client) {
  for (;;) {
    try {
      const headers = { prefer: 'wait=25', ...(client.version ? { 'if-none-match': `"${client.version}"` } : {}) };
      const response = await fetch(`${RELAY_URL}/topics/${client.topic}`, {
        headers,
        signal: AbortSignal.timeout(40_000),
      });
      if (response.status === 200) client.received((await response.json()).version);
      else await response.arrayBuffer();
      if (response.status === 503) figures.refused += 1;
      if (response.status === 200 || response.status === 304) {
        if (!client.isOpen) client.opened();
        continue;
      }
    } catch {
      figures.refused += 1;
    }
    client.isOpen = false;
    await sleep(Math.random() * RECONNECT_WITHIN_MS);
  }
}

/** Publishes one call after the other at a steady rate; a failed call is counted and repeated until it is acknowledged. */
async function publishSteadily() {
  for (let n = 0; ; n++) {
    const topic = TOPICS[n % TOPICS.length];
    const beginMs = nowMs();
    for (;;) {
      figures.calls += 1;
      try {
        const response = await fetch(WEBHOOK_URL, {
          method: 'POST',
          headers: { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' },
          body: JSON.stringify({ topic }),
          signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        });
        const text = await response.text();
        if (!response.ok) throw new Error(`${response.status} ${text}`);
        const { version } = JSON.parse(text).updates[0];
        publishedAtMs.set(version, beginMs);
        if (publishedAtMs.size > 5000) publishedAtMs.delete(publishedAtMs.keys().next().value);
        acknowledged.set(topic, { version, atMs: nowMs() });
        break;
      } catch (error) {
        figures.failed.push({ atMs: Math.round(nowMs()), reason: error.cause?.code ?? error.message });
        await sleep(100);
      }
    }
    await sleep(Math.max(0, beginMs + 1000 / RATE - nowMs()));
  }
}

/** Clients that miss an update which was acknowledged more than ten seconds ago. */
function behind() {
  return clients.filter(({ topic, version }) => {
    const last = acknowledged.get(topic);
    return last && nowMs() - last.atMs > BEHIND_AFTER_MS && !(version >= last.version);
  });
}

const RUN = { library: runLibrary, websocket: runWebSocket, sse: runSse, 'long-poll': runLongPoll };

function report() {
  const kinds = Object.keys(RUN);
  const delays = figures.delaysMs.toSorted((a, b) => a - b);
  const at = (share) => Math.round(delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? 0);
  const failedAt = figures.failed.map(({ atMs }) => atMs);
  return {
    clients: clients.length,
    open: clients.filter(({ isOpen }) => isOpen).length,
    current: clients.filter(({ topic, version }) => version >= (acknowledged.get(topic)?.version ?? 0)).length,
    behind: behind().map(({ kind, topic }) => `${kind} ${topic}`),
    calls: figures.calls,
    failedCalls: figures.failed.length,
    failures: [...new Set(figures.failed.map(({ reason }) => reason))],
    failedForMs: failedAt.length ? failedAt.at(-1) - failedAt[0] : 0,
    moves: Object.fromEntries(
      kinds.map((kind) => [kind, clients.filter((one) => one.kind === kind).reduce((sum, one) => sum + one.moves, 0)]),
    ),
    reconnectsPerSecond: Math.max(0, ...figures.openedBySecond.values()),
    refused: figures.refused,
    stale: figures.stale,
    acknowledgedAgoMs: Math.round(nowMs() - Math.max(0, ...[...acknowledged.values()].map(({ atMs }) => atMs))),
    deliveries: delays.length,
    delayMs: { p50: at(0.5), p99: at(0.99), worst: at(1) },
  };
}

createServer((request, response) => {
  if (request.url === '/reset') reset();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(report()));
}).listen(Number(PORT));

const kinds = Object.keys(RUN);
for (let i = 0; i < CLIENTS; i++) {
  const client = new Client(kinds[i % kinds.length], TOPICS[Math.floor(i / kinds.length) % TOPICS.length]);
  clients.push(client);
  RUN[client.kind](client);
  if (i % 10 === 9) await sleep(50);
}
await publishSteadily();
