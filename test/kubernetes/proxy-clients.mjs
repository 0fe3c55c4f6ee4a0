// Runs in a pod of the product's image outside of the instance's namespace: clients that reach the relays through a proxy.
// Prints a line when they are ready for the event of the test, and one line of JSON with their result at the end.
// Settings: RELAY_URL, the address of the proxy. The first argument is what they do:
//   silent    one client of each transport of the topic `chat`, which is silent for SILENT_MS, until an update reaches them
//   refused   160 clients, then requests that count how relays answer once some are too full
const { RELAY_URL = '' } = process.env;
const SILENT_MS = Number(process.env.SILENT_MS ?? 190_000);
const UPDATE_WITHIN_MS = 60_000;
/** A poll with `wait=25` that took longer was held to its end. */
const HELD_MS = 24_000;
const CROWD = 160;
const REQUESTS = 60;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const startedAtMs = performance.now();
const sinceStart = () => Math.round(performance.now() - startedAtMs);
const topicUrl = (path) => `${RELAY_URL}${path}?topic=chat`;

/** Opens a stream of events, and calls back with each one. Returns when it ends. */
async function readEvents(onEvent) {
  const response = await fetch(topicUrl('/events'));
  if (!response.ok) throw new Error(`status ${response.status}`);
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split('\n\n');
    text = events.pop();
    for (const event of events) onEvent(/^event: ?(.*)$/m.exec(event)?.[1]);
  }
}

async function silent() {
  const result = Object.fromEntries(
    ['websocket', 'sse', 'long-poll'].map((kind) => [kind, { closedAfterMs: null, updates: 0, statuses: [] }]),
  );
  const received = (kind) => {
    result[kind].updates += 1;
  };
  const closed = (kind, reason) => {
    result[kind].closedAfterMs ??= sinceStart();
    result[kind].reason ??= reason;
  };

  const socket = new WebSocket(topicUrl('/ws').replace('http', 'ws'));
  socket.onmessage = ({ data }) => JSON.parse(data).type === 'update' && received('websocket');
  socket.onclose = ({ code }) => closed('websocket', code);
  readEvents((name) => name === 'update' && received('sse')).then(
    () => closed('sse', 'end'),
    (error) => closed('sse', error.message),
  );
  void (async () => {
    const { statuses } = result['long-poll'];
    Object.assign(result['long-poll'], { held: 0, failures: [] });
    let etag;
    for (;;) {
      const startedMs = performance.now();
      const headers = { prefer: 'wait=25', ...(etag && { 'if-none-match': etag }) };
      const response = await fetch(topicUrl('/topics/'), { headers }).catch((error) => error);
      if (response instanceof Error) {
        // Another attempt succeeds on a busy machine. A time-out would end every poll: none would be held.
        result['long-poll'].failures.push(`${response.cause ?? response}`);
        await sleep(1000);
        continue;
      }
      await response.arrayBuffer();
      if (performance.now() - startedMs > HELD_MS) result['long-poll'].held += 1;
      if (!statuses.includes(response.status)) statuses.push(response.status);
      if (response.status !== 200 && response.status !== 304) return closed('long-poll', response.status);
      if (etag && response.status === 200) received('long-poll');
      etag = response.headers.get('etag');
    }
  })().catch((error) => closed('long-poll', error.message));

  await sleep(SILENT_MS);
  const silent = structuredClone(result);
  console.log('silent for long');
  const deadlineMs = performance.now() + UPDATE_WITHIN_MS;
  while (performance.now() < deadlineMs && Object.values(result).some(({ updates }) => updates === 0)) await sleep(100);
  return { silent, result };
}

async function refused() {
  const connect = () =>
    new Promise((resolve, reject) => {
      readEvents((name) => name === 'subscribed' && resolve()).then(reject, reject);
    });
  for (let i = 0; i < CROWD; i++) {
    // A busy machine may fail to connect in time.
    while (
      await connect().then(
        () => false,
        () => true,
      )
    );
  }
  console.log('connected');
  const ask = async (tries) => {
    const abort = new AbortController();
    // A busy machine may fail to connect in time.
    let response;
    while (!response) {
      response = await fetch(`${topicUrl('/events')}&tries=${tries}`, { signal: abort.signal }).catch(() =>
        sleep(1000),
      );
    }
    const { status } = response;
    // The proxy answers without JSON if it has no relay to ask.
    const isOurs = response.headers.get('content-type') === 'application/problem+json';
    const code = isOurs ? (await response.json()).code : undefined;
    const retryAfter = response.headers.get('retry-after');
    abort.abort();
    return { status, code, retryAfter };
  };
  const deadlineMs = performance.now() + 180_000;
  let first;
  do {
    first = await ask(1);
    await sleep(200);
  } while (first.code !== 'rebalancing' && performance.now() < deadlineMs);
  const count = async (tries) => {
    const statuses = {};
    for (let i = 0; i < REQUESTS; i++) {
      const { status } = await ask(tries);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    return statuses;
  };
  // Until the new relay is one of those behind the proxy, all refuse.
  let withTries;
  do withTries = await count(1);
  while (Object.keys(withTries).length < 2 && performance.now() < deadlineMs);
  return { first, withTries, without: await count(0) };
}

const result = await { silent, refused }[process.argv[2]]().catch((error) => ({ error: error.stack }));
console.log(JSON.stringify(result));
process.exit();
