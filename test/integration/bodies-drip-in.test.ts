import diagnostics from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { startChat } from '../support/chat-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { startRelay } from '../support/relay-fixture.ts';
import { signedHeaders, WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { startStats } from '../support/stats-fixture.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';

const MIB = 1024 * 1024;
const CONNECTIONS = 10;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes that this process holds, without garbage. */
function bytesInUse(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function startRelayOnNode() {
  const { http, stop } = await startRelay({ env: { RELAY_ENGINE: 'node' } });
  return { url: http, stop };
}

const SERVERS = [
  {
    name: 'the webhook, signed',
    bytes: 60_000,
    head: ['POST /webhook', ...Object.entries(signedHeaders('{}')).map(([name, value]) => `${name}: ${value}`)],
    start: () => startWebhook({ config: { secrets: [parseSigningSecret(WEBHOOK_SECRET) as SigningCredential] } }),
  },
  {
    name: 'the webhook, by token',
    bytes: 60_000,
    head: ['POST /webhook', 'content-type: application/json', `authorization: Bearer ${WEBHOOK_TOKEN}`],
    start: () => startWebhook(),
  },
  {
    name: 'the chat',
    bytes: 16_000,
    head: ['POST /comments', 'content-type: application/json'],
    start: () => startChat(),
  },
  {
    name: 'an admin port',
    bytes: 4000,
    head: ['POST /stats/login', 'content-type: application/x-www-form-urlencoded'],
    start: () => startStats({ STATS_TOKEN: 'a-token-of-the-statistics' }),
  },
  {
    name: 'a relay on node:http, to a stream',
    bytes: 60_000,
    head: ['GET /events?topic=quiet'],
    start: startRelayOnNode,
  },
];

describe('bodies that drip in, one byte in each chunk,', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it.each(SERVERS)('take bounded memory at $name', async ({ bytes, head, start }) => {
    const server = await start();
    const { port } = new URL(server.url);
    const received = new Set<Socket>();
    const note = (message: unknown) => {
      const { request } = message as { request: IncomingMessage };
      if (String(request.socket.localPort) === port) received.add(request.socket);
    };
    diagnostics.subscribe('http.server.request.start', note);
    const [line, ...headers] = head;
    const text = [`${line} HTTP/1.1`, 'host: x', 'transfer-encoding: chunked', ...headers, '', ''].join('\r\n');
    const before = bytesInUse();
    for (let i = 0; i < CONNECTIONS; i += 1) sockets.push(connect(Number(port), '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.write(text);
      for (let left = bytes; left > 0; left -= 1000) socket.write('1\r\nx\r\n'.repeat(1000));
    }
    const sent = CONNECTIONS * (text.length + bytes * 6);
    await eventually(() => expect([...received].reduce((sum, { bytesRead }) => sum + bytesRead, 0)).toBe(sent), 30_000);
    expect(bytesInUse() - before).toBeLessThan(10 * MIB);
    diagnostics.unsubscribe('http.server.request.start', note);
    await server.stop();
  });
});
