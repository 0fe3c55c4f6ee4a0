import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { makeFrame, RawWebSocket, upgradeRequest } from '../support/raw-websocket.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const MIB = 1024 * 1024;
/** Memory growth allowed after an attack: V8 and malloc do not return all memory immediately. */
const MEMORY_SLACK = 48 * MIB;
/** The first half of a request head. */
const HALF = upgradeRequest('/ws?topic=chat').slice(0, 60);

let service: ServiceProcess;
let port: number;
let witness: WsClient;
let sockets: RawWebSocket[] = [];

async function start(options: { openFiles?: number } = {}): Promise<void> {
  service = await startService('standalone', { WEBHOOK_TOKENS: WEBHOOK_TOKEN, CONNECTION_RATE: '0' }, options);
  port = service.ports.relay ?? 0;
  witness = await WsClient.open(`ws://127.0.0.1:${port}/ws?topic=chat`);
  await eventually(() => expect(witness.ofType('subscribed')).toHaveLength(1));
}

function connect(count: number, bytes?: string | Buffer): RawWebSocket[] {
  const added = Array.from({ length: count }, () => new RawWebSocket(port));
  for (const { socket } of added) if (bytes !== undefined) socket.write(bytes);
  sockets.push(...added);
  return added;
}

/** Publishes, and returns the milliseconds until the witness received the update, without those that the machine was busy. */
async function latencyMs(): Promise<number> {
  const stopwatch = startStopwatch();
  const response = await fetch(`http://127.0.0.1:${service.ports.webhook}/webhook`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${WEBHOOK_TOKEN}`, 'Content-Type': 'application/json' },
    body: '{"topic":"chat"}',
  });
  const { updates } = (await response.json()) as { updates: { version: number }[] };
  await eventually(() => expect(JSON.parse(witness.texts.at(-1) ?? '').version).toBe(updates[0]?.version));
  const { tookMs, lateMs } = stopwatch.stop();
  return tookMs - lateMs;
}

/** Runs the attack, and expects that the witness receives updates without delay meanwhile, and that the relay keeps nothing. */
async function bear(name: string, attack: () => Promise<unknown>): Promise<void> {
  const memory = () => service.metric('process_resident_memory_bytes');
  for (let i = 0; i < 5; i += 1) await latencyMs();
  const before = await memory();
  const latencies: number[] = [];
  let most = 0;
  let isOver = false;
  const attacked = attack().finally(() => {
    isOver = true;
  });
  attacked.catch(() => {}); // awaited below
  do {
    latencies.push(await latencyMs());
    most = Math.max(most, await memory());
  } while (!isOver);
  await attacked;
  const worst = Math.max(...latencies);
  console.info(
    `${name}: the witness received updates within ${worst.toFixed(0)} ms at worst (${latencies.length} updates), ` +
      `${((most - before) / MIB).toFixed(1)} MiB more at most`,
  );
  expect(worst).toBeLessThan(1000);
  expect(most - before).toBeLessThan(MEMORY_SLACK);
}

describe('a relay under attack', () => {
  beforeAll(() => start());
  afterAll(async () => {
    witness.terminate();
    await service.stop('SIGKILL');
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    await eventually(async () => expect(await service.metric('relay_sockets')).toBe(1));
    expect(await service.metric('relay_connections')).toBe(1);
  });

  it('closes connections that stop within a request head, or send it byte by byte, within 15 s, without using a slot', async () => {
    const silent = connect(300, HALF);
    const slow = connect(300, `${HALF}\r\nX: `);
    await bear('600 heads that never end', async () => {
      const trickle = setInterval(() => {
        for (const { socket, isClosed } of slow) if (!isClosed) socket.write('x');
      }, 500);
      try {
        await eventually(async () => expect(await service.metric('relay_sockets')).toBe(601));
        expect(await service.metric('relay_connections')).toBe(1);
        await eventually(() => expect([...silent, ...slow].every(({ isClosed }) => isClosed)).toBe(true));
      } finally {
        clearInterval(trickle);
      }
    });
  });

  it('keeps nothing of a thousand upgrades that were aborted', async () => {
    await bear('1,000 upgrades cut half-way', async () => {
      for (let round = 0; round < 10; round += 1) {
        const cut = connect(100, HALF);
        for (const { socket } of cut) socket.once('connect', () => socket.destroy());
        await eventually(() => expect(cut.every(({ isClosed }) => isClosed)).toBe(true));
      }
    });
  });

  it('closes two thousand clients that violate RFC 6455 in different ways', async () => {
    const ways = [
      makeFrame('x', { opcode: 3 }),
      makeFrame('x', { rsv: 4 }),
      makeFrame('x'.repeat(126), { opcode: 9 }),
      makeFrame('x', { opcode: 9, fin: false }),
      makeFrame('x', { opcode: 0 }),
    ];
    await bear('2,000 clients that break the protocol', async () => {
      for (let round = 0; round < 20; round += 1) {
        const wrong = connect(100, upgradeRequest('/ws?topic=chat'));
        await eventually(() => expect(wrong.every(({ response }) => response.includes(' 101 '))).toBe(true));
        for (const [i, { socket }] of wrong.entries()) socket.write(ways[i % ways.length] ?? '');
        await eventually(() => expect(wrong.every(({ isClosed }) => isClosed)).toBe(true));
      }
    });
  });

  it('keeps no more of endless messages than the size limit', async () => {
    const piece = makeFrame('x'.repeat(60_000), { fin: false });
    const more = makeFrame('x'.repeat(60_000), { fin: false, opcode: 0 });
    await bear('100 messages without an end', async () => {
      const endless = connect(100, upgradeRequest('/ws?topic=chat'));
      await eventually(() => expect(endless.every(({ response }) => response.includes(' 101 '))).toBe(true));
      for (const { socket } of endless) socket.write(piece);
      for (let i = 0; i < 20; i += 1) for (const { socket, isClosed } of endless) if (!isClosed) socket.write(more);
      await eventually(() => expect(endless.every(({ isClosed }) => isClosed)).toBe(true));
    });
  });

  it('keeps nothing for clients that request files without reading them, and sends complete files to others', async () => {
    const script = readFileSync(new URL('../../dist/client/client.js.map', import.meta.url), 'utf8');
    const ask = 'GET /client.js.map HTTP/1.1\r\nHost: relay\r\n\r\n';
    await bear('20 connections that ask for 2,000 files each', async () => {
      const greedy = connect(20);
      for (const { socket } of greedy) {
        socket.pause();
        socket.write(ask.repeat(2000));
      }
      const reader = await fetch(`http://127.0.0.1:${port}/client.js.map`, { headers: { Connection: 'close' } });
      expect(await reader.text()).toBe(script);
      await eventually(async () => expect(await service.metric('relay_sockets')).toBe(1));
    });
  });

  it('closes with 4429 clients that ping too fast, by message or by frame, and legacy clients that send too fast', async () => {
    const ways: [string, Buffer][] = [
      ['/ws', makeFrame('{"type":"ping"}')],
      ['/ws', makeFrame('x', { opcode: 9 })],
      ['/ws', makeFrame('x', { opcode: 10 })],
      ['/update_check', makeFrame('NOOP')],
      ['/update_check', makeFrame('x'.repeat(16 * 1024))],
      ['/update_check', makeFrame('x', { opcode: 9 })],
    ];
    await bear('clients that talk on and on', async () => {
      for (const [path, frame] of ways) {
        const [loud] = connect(1, upgradeRequest(path));
        await eventually(() => expect(loud?.response).toContain(' 101 '));
        for (let i = 0; i < 300; i += 1) loud?.write(frame);
        await eventually(() => expect(loud?.closeCode, path).toBe(4429));
      }
    });
  });
});

describe('a relay at its file limit', () => {
  beforeAll(() => start({ openFiles: 400 }));
  afterAll(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    witness.terminate();
    await service.stop('SIGKILL');
  });

  it('accepts no more sockets, stays alive, and keeps serving its clients', async () => {
    await bear('600 sockets at a limit of 400 files', async () => {
      const open = connect(600, HALF);
      await eventually(() => expect(open.filter(({ isClosed }) => isClosed).length).toBeGreaterThanOrEqual(300));
      expect(await service.metric('relay_sockets')).toBe(300);
      expect(await service.metric('relay_refusals_total')).toBe(301);
      const livez = () => fetch(`http://127.0.0.1:${service.adminPort}/livez`, { headers: { Connection: 'close' } });
      for (let i = 0; i < 5; i += 1) expect((await livez()).status).toBe(200);
      for (const socket of open) socket.destroy();
      await eventually(async () => expect(await service.metric('relay_sockets')).toBe(1));
      const late = await WsClient.open(`ws://127.0.0.1:${port}/ws?topic=chat`);
      await eventually(() => expect(late.ofType('subscribed')).toHaveLength(1));
      late.terminate();
    });
  });
});
