import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

type Port = 'relay' | 'webhook' | 'chat' | 'admin';

const BODY = '{"topic":"chat"}';
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Requests to every port: request line, other headers, body, and the expected status. */
const REQUESTS: readonly [port: Port, line: string, headers: readonly string[], body: string, status: number][] = [
  ['relay', 'GET /topics/chat', [], '', 200],
  ['relay', 'GET /events?topic=chat', [], '', 200],
  ['relay', 'GET /ws?topic=chat', UPGRADE, '', 101],
  ['relay', 'GET /update_check', UPGRADE, '', 101],
  ['relay', 'GET /client.js', [], '', 200],
  [
    'webhook',
    'POST /webhook',
    [
      `Authorization: Bearer ${WEBHOOK_TOKEN}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(BODY)}`,
    ],
    BODY,
    200,
  ],
  ['chat', 'GET /', [], '', 200],
  ['admin', 'GET /livez', [], '', 200],
  ['admin', 'GET /metrics', [], '', 200],
];

/**
 * Sends each part by itself, and resolves with the status of the response.
 * @param options.isRead resolves once the service has read what arrived so far
 */
async function statusOf(
  port: number,
  parts: Iterable<string>,
  options: { isRead: () => Promise<unknown> },
): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  try {
    await once(socket, 'connect');
    let received = '';
    const response = new Promise<number>((resolve, reject) => {
      socket.on('data', (data) => {
        received += data;
        const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(received) ?? [];
        if (status !== undefined) resolve(Number(status));
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error(`closed after ${JSON.stringify(received)}`)));
    });
    response.catch(() => {}); // awaited below
    for (const part of parts) {
      if (!socket.writable || received !== '') break; // refused before the end of the request
      await new Promise((resolve) => socket.write(part, resolve));
      await options.isRead();
    }
    return await response;
  } finally {
    socket.destroy();
  }
}

describe.each(['uws', 'node'] as const)('every port, with the relay on the engine %s', (engine) => {
  // An upstream fault of uWebSockets.js 20.41, the newest that has a binary for Node 20.
  const needsWholeLine = engine === 'uws' && process.versions.modules === '115';
  let service: ServiceProcess;
  beforeAll(async () => {
    service = await startService('standalone', { RELAY_ENGINE: engine, WEBHOOK_TOKENS: WEBHOOK_TOKEN });
  });
  afterAll(async () => void (await service?.stop('SIGKILL')));

  // All ports are in one process: once it has replied here, it has read what arrived before.
  const isRead = async () => (await fetch(`http://127.0.0.1:${service.adminPort}/livez`)).text();
  const portOf = (port: Port) => (port === 'admin' ? service.adminPort : (service.ports[port] ?? 0));

  it.each(REQUESTS)('%s: accepts %s byte by byte', async (port, line, headers, body, status) => {
    const [first, rest] = [`${line} HTTP/1.1\r\n`, `${['Host: localhost', ...headers].join('\r\n')}\r\n\r\n${body}`];
    expect(await statusOf(portOf(port), [first, ...rest], { isRead })).toBe(status);
    const expected = needsWholeLine && port === 'relay' ? 505 : status;
    expect(await statusOf(portOf(port), [...first, ...rest], { isRead })).toBe(expected);
  });
});
