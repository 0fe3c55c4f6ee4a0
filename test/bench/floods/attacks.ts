import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';

/** The ports that an attack may reach, and how long it lasts. */
export interface Target {
  readonly relay: number;
  readonly webhook: number;
  readonly chat: number;
  readonly relayAdmin: number;
  readonly webhookAdmin: number;
  /** A token that the webhook accepts. */
  readonly token: string;
  /** Of an attack without a number of calls. */
  readonly durationMs: number;
  /** Of an attack with a number of calls, at most. */
  readonly maxDurationMs: number;
}

/** Counts what an attack sends. */
export class Meter {
  readonly #sockets = new Set<Socket>();
  calls = 0;

  /** Counts the bytes of a socket, and ignores its errors. */
  add(socket: Socket): Socket {
    if (!this.#sockets.has(socket)) socket.on('error', () => {});
    this.#sockets.add(socket);
    return socket;
  }

  get bytes(): number {
    return [...this.#sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  }
}

type Attack = (target: Target, meter: Meter) => Promise<void>;

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const TOPICS = Array.from({ length: 100 }, (_, i) => `flooded/${i}`);

/** Headers with a signature of the right form by an unknown secret. */
function forgedHeaders(): Record<string, string> {
  return {
    ...JSON_TYPE,
    'webhook-id': `msg_${randomBytes(8).toString('hex')}`,
    'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
    'webhook-signature': `v1,${randomBytes(32).toString('base64')}`,
  };
}

/** Repeats calls on kept connections until the time is over, or `count` calls are made. */
function calls(
  options: { port: keyof Target; connections: number; count?: number },
  make: (target: Target, n: number) => Call,
): Attack {
  return async (target, meter) => {
    const { port, connections, count = Number.POSITIVE_INFINITY } = options;
    const endsAtMs = performance.now() + (options.count === undefined ? target.durationMs : target.maxDurationMs);
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    const loop = async () => {
      while (performance.now() < endsAtMs && meter.calls < count) {
        const { body, ...call } = make(target, meter.calls);
        meter.calls += 1;
        await new Promise<void>((resolve) => {
          const sent = request({ host: '127.0.0.1', port: Number(target[port]), agent, ...call }, (response) => {
            response.resume().once('close', resolve);
          });
          sent.once('socket', (socket) => meter.add(socket));
          sent.once('error', () => resolve());
          sent.end(body);
        });
      }
    };
    await Promise.all(Array.from({ length: connections }, loop));
    agent.destroy();
  };
}

/** Sends bodies in chunks of one byte, and leaves them unfinished. */
function drips(
  options: { port: keyof Target; connections: number; bytes: number },
  head: (target: Target) => Record<string, string>,
  path: string,
): Attack {
  return async (target, meter) => {
    const startedMs = performance.now();
    const lines = Object.entries(head(target)).map(([name, value]) => `${name}: ${value}`);
    const text = [`POST ${path} HTTP/1.1`, 'host: x', 'transfer-encoding: chunked', ...lines, '', ''].join('\r\n');
    const sockets = Array.from({ length: options.connections }, () =>
      meter.add(connect(Number(target[options.port]), '127.0.0.1')),
    );
    for (const socket of sockets) socket.write(text);
    for (let left = options.bytes; left > 0; left -= 1000) {
      for (const socket of sockets) {
        socket.write('1\r\nx\r\n'.repeat(1000));
        meter.calls += 1000;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, startedMs + target.durationMs - performance.now())));
  };
}

/** Opens WebSockets with topics of their own, sends what `then` returns, and closes them after the first response. */
function connections(topicsInUrl: number, then?: (topics: readonly string[]) => string): Attack {
  return async (target, meter) => {
    const endsAtMs = performance.now() + target.durationMs;
    const loop = async () => {
      while (performance.now() < endsAtMs) {
        meter.calls += 1;
        const prefix = randomBytes(4).toString('hex');
        const topics = Array.from({ length: 128 }, (_, i) => `${prefix}${i}`);
        const query = topics.slice(0, topicsInUrl).map((topic) => `topic=${topic}`);
        const socket = meter.add(connect(target.relay, '127.0.0.1'));
        const closed = once(socket, 'close').catch(() => {});
        socket.write(
          `GET /ws?${query.join('&')} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
            'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
        );
        let responses = 0;
        socket.on('data', (bytes) => {
          responses += 1;
          if (responses === 1 && then && String(bytes).startsWith('HTTP/1.1 101')) socket.write(frame(then(topics)));
          else socket.destroy();
        });
        await closed;
      }
    };
    await Promise.all(Array.from({ length: 16 }, loop));
  };
}

/** A masked text frame of 126 bytes to 64 KiB. */
function frame(text: string): Buffer {
  const head = Buffer.from([0x81, 0xfe, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(Buffer.byteLength(text), 2);
  return Buffer.concat([head, Buffer.from(text)]);
}

const forgedCalls = calls({ port: 'webhook', connections: 8 }, () => ({
  method: 'POST',
  path: '/webhook',
  headers: forgedHeaders(),
  body: JSON.stringify({ topic: 'flooded', data: 'x'.repeat(64_000) }),
}));

/** The attacks by name. */
export const ATTACKS = {
  'drip-webhook': drips({ port: 'webhook', connections: 10, bytes: 60_000 }, forgedHeaders, '/webhook'),
  'drip-chat': drips({ port: 'chat', connections: 40, bytes: 16_000 }, () => JSON_TYPE, '/comments'),
  'drip-login': drips(
    { port: 'webhookAdmin', connections: 100, bytes: 4000 },
    () => ({ 'content-type': 'application/x-www-form-urlencoded' }),
    '/stats/login',
  ),
  objects: calls({ port: 'webhook', connections: 2 }, ({ token }) => ({
    method: 'POST',
    path: '/webhook',
    headers: { ...JSON_TYPE, authorization: `Bearer ${token}` },
    body: JSON.stringify({ topics: TOPICS, data: Array(20_000).fill({}) }),
  })),
  'forged-1': forgedCalls,
  'forged-5': forgedCalls,
  'handshakes-1': connections(1),
  'handshakes-128': connections(128),
  subscribes: connections(0, (topics) =>
    JSON.stringify({ type: 'subscribe', topics: Object.fromEntries(topics.map((topic) => [topic, null])) }),
  ),
  'fill-redis': calls({ port: 'webhook', connections: 1, count: 45 }, ({ token }, n) => ({
    method: 'POST',
    path: '/webhook',
    headers: { ...JSON_TYPE, authorization: `Bearer ${token}` },
    body: JSON.stringify({ topics: TOPICS.map((topic) => `${topic}/${n}`), data: 'x'.repeat(63_000) }),
  })),
  traceparent: calls({ port: 'webhook', connections: 8, count: 1400 }, () => ({
    method: 'POST',
    path: '/webhook',
    headers: {
      ...JSON_TYPE,
      traceparent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
    },
    body: '{}',
  })),
  scrapers: calls({ port: 'relayAdmin', connections: 50 }, () => ({ method: 'GET', path: '/metrics' })),
} satisfies Record<string, Attack>;

export type AttackName = keyof typeof ATTACKS;
