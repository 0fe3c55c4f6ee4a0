import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ENGINES } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

/** The binary of uWebSockets.js for Node 20 refuses a request line that arrives in several segments. */
const HAS_OLD_BINARY = process.versions.modules === '115';
const PATH = '/topics/chat';
const GET = `GET ${PATH} HTTP/1.1\r\nHost: relay\r\n`;

/** A client that writes bytes as they are. */
class RawClient {
  readonly socket: Socket;
  text = '';
  isClosed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('data', (data) => {
      this.text += data.toString('latin1');
    });
    this.socket.on('error', () => {}); // a close follows
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Resolves with the status of the first response, or `closed`. */
  async status(): Promise<number | 'closed'> {
    return eventually(() => {
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(this.text)?.[1];
      if (status === undefined && !this.isClosed) throw new Error('no response yet');
      return status === undefined ? 'closed' : Number(status);
    });
  }
}

describe.each(ENGINES)('a relay on the engine %s', (engine) => {
  let relay: RelayFixture;
  const clients: RawClient[] = [];
  beforeAll(async () => {
    relay = await startRelay({ env: { RELAY_ENGINE: engine } });
    await relay.publish('chat');
  });
  afterEach(() => {
    for (const { socket } of clients.splice(0)) socket.destroy();
  });
  afterAll(() => relay.stop());

  function send(...pieces: readonly string[]): RawClient {
    const client = new RawClient(relay.port);
    clients.push(client);
    for (const piece of pieces) client.socket.write(piece);
    return client;
  }

  it.each([
    ['a plain request', `${GET}\r\n`],
    [
      'a header name in mixed case, a tab before its value, and an empty header',
      `GET ${PATH} HTTP/1.1\r\nhoSt:\trelay\r\nempty:\r\n\r\n`,
    ],
    ['a header with spaces only', `${GET}X-Empty: \r\n\r\n`],
    ['Expect: 100-continue', `${GET}Expect: 100-continue\r\n\r\n`],
  ])('accepts %s', async (_, request) => {
    const client = send(request);
    await eventually(() => expect(client.text).toMatch(/HTTP\/1\.1 200 OK\r\n(.*\r\n)*\r\n\{"topic":"chat"/i));
  });

  it.each([
    ['a body with its length', 'Content-Length: 5\r\n\r\nhello'],
    ['a body in chunks', 'Transfer-Encoding: chunked\r\n\r\nc\r\nHellO world1\r\n0\r\n\r\n'],
  ])('answers a method that it does not serve with 405, after %s', async (_, rest) => {
    expect(await send(`POST ${PATH} HTTP/1.1\r\nHost: relay\r\n${rest}`).status()).toBe(405);
  });

  it.each([
    ['without a version', `GET ${PATH} \r\n\r\n`],
    ['of another version of HTTP', `GET ${PATH} HTTP/9.9\r\nHost: relay\r\n\r\n`],
    ['without Host', `GET ${PATH} HTTP/1.1\r\nX: y\r\n\r\n`],
    ['with text before the method', `Extra line${GET}\r\n`],
    ['with a negative length', `${GET}Content-Length: -1234\r\n\r\n`],
    ['with a very negative length', `${GET}Content-Length: -123456789123456789123456789\r\n\r\n`],
    ['with a length that is no number', `${GET}Content-Length: abc\r\n\r\n`],
    [
      'with a length and chunks',
      `POST ${PATH} HTTP/1.1\r\nHost: relay\r\ncontent-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
  ])('refuses a request %s', async (_, request) => {
    const status = await send(request).status();
    if (status !== 'closed') expect([400, 405, 505]).toContain(status);
  });

  // The old binary waits for more.
  it.skipIf(engine === 'uws' && HAS_OLD_BINARY).each([
    ['brackets in the name of a header', `${GET}X-Invalid[]: test\r\n\r\n`],
    ['a control character in a header', `${GET}X-Bad: test\x07\r\n\r\n`],
    ['a bare carriage return', `${GET}\rX: y\r\n\r\n`],
  ])('refuses a request with %s', async (_, request) => {
    const status = await send(request).status();
    if (status !== 'closed') expect(status).toBe(400);
  });

  it('does not respond before a request is complete', async () => {
    const whole = `${GET}\r\n`;
    // The old binary responds to a part of the request line already.
    const first = engine === 'uws' && HAS_OLD_BINARY ? GET.indexOf('\r\n') + 2 : 1;
    const parts = Array.from({ length: whole.length - first }, (_, i) => send(whole.slice(0, first + i)));
    expect(await send(whole).status()).toBe(200);
    expect(parts.filter(({ text, isClosed }) => text !== '' || isClosed)).toEqual([]);
  });

  it.skipIf(engine === 'uws' && HAS_OLD_BINARY)('accepts a request that arrives byte by byte', async () => {
    const client = send();
    for (const byte of `${GET}\r\n`) {
      client.socket.write(byte);
      await new Promise(setImmediate);
    }
    expect(await client.status()).toBe(200);
  });

  it('answers pipelined requests in their order', async () => {
    const client = send(
      `GET /client.js.map HTTP/1.1\r\nHost: relay\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: relay\r\n\r\n`,
    );
    const statuses = () => [...client.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
    await eventually(() => expect(statuses()).toEqual(['200', '404']));
  });
});

describe.runIf(HAS_OLD_BINARY && ENGINES.includes('uws'))('the old uWebSockets.js on Node 20', () => {
  it('refuses a request line that arrives in two segments, as the relay warns at its start', async () => {
    const relay = await startRelay({ env: { RELAY_ENGINE: 'uws' } });
    try {
      const client = new RawClient(relay.port);
      client.socket.write('GET /topics/ch');
      expect(await client.status()).toBe(505);
      client.socket.destroy();
      expect(relay.log.join()).toContain('refuses requests whose first line arrives in several segments');
    } finally {
      await relay.stop();
    }
  });
});
