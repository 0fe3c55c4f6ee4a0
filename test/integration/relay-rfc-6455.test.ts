import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { makeFrame, RawWebSocket, upgradeRequest } from '../support/raw-websocket.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import type { WsClient } from '../support/ws-client.ts';

const PING = '{"type":"ping"}';
const PONG = '{"type":"pong"}';

let relay: RelayFixture;
let witness: WsClient;
const sockets: RawWebSocket[] = [];

beforeAll(async () => {
  relay = await startRelay();
  witness = await relay.connect('/ws?topic=chat');
  await eventually(() => expect(witness.ofType('subscribed')).toHaveLength(1));
});
afterAll(() => relay.stop());

// Other clients are served as before, whatever a test has sent.
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  const version = await relay.publish('chat');
  await eventually(() => expect(witness.ofType('update').at(-1)?.version).toBe(version));
});

async function open(path = '/ws'): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(relay.port, path);
  sockets.push(socket);
  return socket;
}

function connect(): RawWebSocket {
  const socket = new RawWebSocket(relay.port);
  sockets.push(socket);
  return socket;
}

describe('a relay accepts', () => {
  it('an upgrade, and responds with the key of section 4.2.2', async () => {
    const socket = await open();
    expect(socket.response).toMatch(/^HTTP\/1\.1 101 /);
    expect(socket.response.toLowerCase()).toContain('sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=');
  });

  it('a fragmented message with a ping in between, and replies with one unmasked frame', async () => {
    const socket = await open();
    socket.write(makeFrame('{"type":', { fin: false }));
    socket.write(makeFrame('are you there', { opcode: 9 }));
    socket.write(makeFrame('"pi', { opcode: 0, fin: false }));
    socket.write(makeFrame('ng"}', { opcode: 0 }));
    await eventually(() => expect(socket.texts).toEqual([PONG]));
    const pong = socket.frames.find(({ opcode }) => opcode === 10);
    expect(pong?.payload.toString()).toBe('are you there');
    expect(socket.frames.every(({ masked, fin }) => !masked && fin)).toBe(true);
  });

  it('a frame sent byte by byte', async () => {
    const socket = await open();
    for (const byte of makeFrame(PING)) socket.write(Buffer.from([byte]));
    await eventually(() => expect(socket.texts).toEqual([PONG]));
  });

  it('a frame sent together with the upgrade', async () => {
    const socket = connect();
    socket.write(Buffer.concat([Buffer.from(upgradeRequest('/ws')), makeFrame(PING)]));
    // uWebSockets.js may drop frames that arrive before its response, but the connection must work.
    await eventually(() => expect(socket.response).toMatch(/ 101 /));
    socket.write(makeFrame(PING));
    await eventually(() => expect(socket.texts).toContain(PONG));
  });

  it('a close frame, and replies with the same code', async () => {
    const socket = await open();
    socket.write(makeFrame(Buffer.from([0x03, 0xe8]), { opcode: 8 }));
    await eventually(() => expect(socket.isClosed).toBe(true));
    expect(socket.closeCode).toBe(1000);
  });

  it('unsolicited pongs', async () => {
    const socket = await open();
    socket.write(makeFrame('unasked', { opcode: 10 }));
    socket.write(makeFrame(PING));
    await eventually(() => expect(socket.texts).toEqual([PONG]));
  });
});

describe('a relay closes the connection of a client that sends', () => {
  it.each([
    ['a reserved bit', makeFrame(PING, { rsv: 4 })],
    ['a reserved opcode', makeFrame(PING, { opcode: 3 })],
    ['a reserved control opcode', makeFrame('', { opcode: 11 })],
    ['an oversized ping', makeFrame('x'.repeat(126), { opcode: 9 })],
    ['a fragmented ping', makeFrame('x', { opcode: 9, fin: false })],
    ['a continuation without a start', makeFrame(PING, { opcode: 0 })],
    ['a new message within another', Buffer.concat([makeFrame('{', { fin: false }), makeFrame(PING)])],
    ['text that is not UTF-8', makeFrame(Buffer.from([0x22, 0xff, 0xfe, 0x22]))],
    ['half a close code', makeFrame(Buffer.from([3]), { opcode: 8 })],
    ['a length beyond any memory', Buffer.from([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0])],
    [
      'a message that never ends',
      Buffer.concat(
        Array.from({ length: 40 }, (_, i) => makeFrame('x'.repeat(8192), { fin: false, opcode: i ? 0 : 1 })),
      ),
    ],
  ])('%s', async (_, bytes) => {
    const socket = await open('/ws?topic=chat');
    socket.write(bytes);
    await eventually(() => expect(socket.isClosed).toBe(true));
    expect(socket.texts.filter((text) => text === PONG)).toEqual([]);
  });
});

describe('a relay on node:http', () => {
  it('closes the connection of a client whose message consists of tiny fragments, each of which takes memory', async () => {
    const onNode = await startRelay({ env: { RELAY_ENGINE: 'node' } });
    const socket = await RawWebSocket.open(onNode.port, '/ws');
    const fragments = Array.from({ length: 2000 }, (_, i) => makeFrame(' ', { fin: false, opcode: i ? 0 : 1 }));
    socket.write(Buffer.concat(fragments));
    await eventually(() => expect(socket.closeCode).toBe(1008));
    await onNode.stop();
  });
});

describe('a relay never accepts', () => {
  it('an unmasked frame: uWebSockets.js takes its first bytes for the mask', async () => {
    const socket = await open('/ws');
    socket.write(makeFrame(PING, { masked: false }));
    socket.write(makeFrame(PING, { masked: false }));
    await eventually(() => expect(socket.isClosed || socket.texts.length > 0).toBe(true));
    expect(socket.texts).not.toContain(PONG);
  });
});

describe('a relay does not upgrade', () => {
  it.each([
    ['without a key', upgradeRequest('/ws').replace(/Sec-WebSocket-Key.*\r\n/, '')],
    ['with an invalid key', upgradeRequest('/ws').replace(/(Sec-WebSocket-Key: ).*/, `$1${'!'.repeat(24)}`)],
    ['with a key of 17 bytes', upgradeRequest('/ws').replace(/(Sec-WebSocket-Key: ).*/, `$1${'A'.repeat(24)}`)],
    ['without the header Upgrade', upgradeRequest('/ws').replace('Upgrade: websocket\r\n', '')],
    ['to another protocol', upgradeRequest('/ws').replace('Upgrade: websocket', 'Upgrade: h2c')],
    ['without Connection: Upgrade', upgradeRequest('/ws').replace('Connection: Upgrade', 'Connection: keep-alive')],
    ['without a version', upgradeRequest('/ws').replace(/Sec-WebSocket-Version.*\r\n/, '')],
    ['with a draft version', upgradeRequest('/ws').replace('Version: 13', 'Version: 8')],
    ['another method', upgradeRequest('/ws').replace('GET', 'POST')],
    ['bytes that are not HTTP', 'hello\r\n\r\n'],
    ['another version of HTTP', upgradeRequest('/ws').replace('HTTP/1.1', 'HTTP/9.9')],
    ['endless headers', `GET /ws HTTP/1.1\r\nHost: relay\r\nX-Long: ${'x'.repeat(100_000)}`],
    ['a TLS hello', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ])('%s', async (_, bytes) => {
    const socket = connect();
    socket.write(bytes);
    await eventually(() => expect(socket.isClosed || / (4\d\d|5\d\d) /.test(socket.response)).toBe(true));
    expect(socket.response).not.toMatch(/ 101 /);
  });
});

describe('a relay responds to a client', () => {
  it('of another version with the one it supports (section 4.4)', async () => {
    const socket = connect();
    socket.write(upgradeRequest('/ws').replace('Version: 13', 'Version: 14'));
    await eventually(() => expect(socket.response).toMatch(/^HTTP\/1\.1 426 /));
    expect(socket.response).toMatch(/^sec-websocket-version: 13$/im);
  });

  it('with unknown extensions without any extension, and with the first protocol that it offers', async () => {
    const socket = connect();
    const headers = ['Sec-WebSocket-Protocol: one, two', 'Sec-WebSocket-Extensions: permessage-deflate, x-unknown'];
    socket.write(upgradeRequest('/ws', headers).replace('Connection: Upgrade', 'Connection: keep-alive, upgrade'));
    await eventually(() => expect(socket.response).toMatch(/ 101 /));
    expect(socket.response).toMatch(/^sec-websocket-protocol: one$/im);
    // Without compression there are no decompression bombs (section 9.1: an extension that is not in the response is off).
    expect(socket.response).not.toMatch(/extensions/i);
  });
});

describe('the strict client library ws', () => {
  it('finds no violation in upgrade, fragments, pings, Unicode text and close', async () => {
    const client = await relay.connect('/ws?topic=chat', { perMessageDeflate: true });
    const { socket } = client;
    expect([socket.extensions, socket.protocol]).toEqual(['', '']);
    const pongs: string[] = [];
    socket.on('pong', (payload) => pongs.push(String(payload)));
    for (const payload of ['', 'a', 'x'.repeat(125)]) socket.ping(payload);
    socket.send('{"type":', { fin: false });
    socket.send('"pi', { fin: false });
    socket.send('ng"}', { fin: true });
    await eventually(() => expect(client.ofType('pong')).toHaveLength(1));
    expect(pongs).toEqual(['', 'a', 'x'.repeat(125)]);
    const data = { text: 'caf\u00e9 \u4f60\u597d \u{1F44B}', long: '\u20ac'.repeat(20_000) };
    await relay.publish('chat', { data });
    await eventually(() => expect(client.ofType('update').at(-1)?.data).toEqual(data));
    socket.close(4000, 'bye');
    await eventually(() => expect(client.closed).toEqual({ code: 4000, reason: 'bye' }));
    expect(await relay.metric('relay_connections')).toBe(1);
  });
});

describe('clients', () => {
  it('that abort a thousand upgrades leave nothing behind, and delay no other client', async () => {
    const half = upgradeRequest('/ws?topic=chat').slice(0, 60);
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 10; round += 1) {
      const cut = Array.from({ length: 100 }, () => {
        const socket = new RawWebSocket(relay.port);
        socket.socket.once('connect', () => {
          socket.write(half);
          socket.socket.end();
          socket.destroy();
        });
        return socket;
      });
      const stopwatch = startStopwatch();
      const version = await relay.publish('chat');
      await eventually(() => expect(witness.ofType('update').at(-1)?.version).toBe(version));
      expectInTime(stopwatch.stop(), 1000);
      await eventually(() => expect(cut.every(({ isClosed }) => isClosed)).toBe(true));
    }
    expect(await relay.metric('relay_connections')).toBe(1);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('that stop within an upgrade are disconnected, and delay no other client', async () => {
    const socket = connect();
    socket.write(upgradeRequest('/ws').slice(0, 60));
    const version = await relay.publish('chat');
    await eventually(() => expect(witness.ofType('update').at(-1)?.version).toBe(version));
    await eventually(() => expect(socket.isClosed).toBe(true));
  });
});
