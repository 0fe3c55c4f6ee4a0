import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { CAN_SHARE_PORTS } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SseClient } from '../support/sse-client.ts';
import { WsClient } from '../support/ws-client.ts';

const WAIT_MS = 1000;
const WINDOW_MS = 3000;
const CLIENTS = 60;
const STREAMS = 20;

let relay: ServiceProcess;
afterEach(() => relay.stop('SIGKILL'));

const start = async (env: Record<string, string>) => {
  relay = await startService('relay', { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), ...env });
};
const status = (path: string) =>
  fetch(`http://127.0.0.1:${relay.adminPort}${path}`).then(
    (response) => response.status,
    () => 0,
  );

describe('a relay at SIGTERM', () => {
  it('keeps serving for DRAIN_WAIT, closes all clients evenly over DRAIN_WINDOW, stays alive meanwhile, and exits with 0', async () => {
    await start({ DRAIN_WAIT: `${WAIT_MS}ms`, DRAIN_WINDOW: `${WINDOW_MS}ms` });
    const http = `http://127.0.0.1:${relay.port}`;
    const connect = () => WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`);
    const gone: { atMs: number; reason: string }[] = [];
    const clients = await Promise.all(Array.from({ length: CLIENTS }, connect));
    for (const { socket } of clients) {
      socket.on('close', (code, reason) => {
        expect(code).toBe(1012);
        gone.push({ atMs: performance.now(), reason: String(reason) });
      });
    }
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => SseClient.open(`${http}/events?topic=chat`)),
    );
    await eventually(() => expect(streams.every(({ events }) => events.length > 0)).toBe(true));
    const etag = (await fetch(`${http}/topics/chat`)).headers.get('etag') ?? '';
    const poll = fetch(`${http}/topics/chat`, { headers: { 'if-none-match': etag, prefer: 'wait=25' } });
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(CLIENTS + STREAMS + 1));

    const begunAtMs = performance.now();
    const stopwatch = startStopwatch();
    relay.kill('SIGTERM');
    await eventually(async () => expect(await status('/readyz')).toBe(503));
    // The load balancer has not noticed yet.
    const late = await connect();
    await eventually(() => expect(late.ofType('subscribed')).toHaveLength(1));
    expect(gone).toEqual([]);
    const alive: number[] = [];
    let draining = 0;
    while (gone.length < CLIENTS) {
      alive.push(await status('/livez'));
      draining = Math.max(draining, await relay.metric('relay_draining').catch(() => 0));
    }
    expect(await relay.ended()).toBe(0);
    const elapsed = stopwatch.stop();

    expect(new Set(alive)).toEqual(new Set([200]));
    expect(draining).toBe(1);
    const times = gone.map(({ atMs }) => atMs - begunAtMs).sort((a, b) => a - b);
    const [first = 0, last = 0] = [times[0], times.at(-1)];
    expect(first).toBeGreaterThan(WAIT_MS * 0.9);
    expect(last - first).toBeGreaterThan(WINDOW_MS * 0.6); // the streams are spread over the window too
    const third = (last - first) / 3;
    const thirds = [0, 1, 2].map((n) => times.filter((at) => at >= first + n * third && at <= first + (n + 1) * third));
    console.info(
      `a drain of ${WAIT_MS} ms + ${WINDOW_MS} ms took ${elapsed.tookMs.toFixed(0)} ms; closes in its thirds: ${thirds.map((part) => part.length)}`,
    );
    for (const part of thirds) expect(part.length).toBeGreaterThan(CLIENTS / 6);
    for (const { reason } of gone) expect(Number(reason)).toBeLessThanOrEqual(1000);
    await eventually(() => expect(streams.every(({ ended }) => ended)).toBe(true));
    for (const { retryMs } of streams) expect(retryMs).toBeLessThanOrEqual(1000);
    expect((await poll).status).toBe(304);
    // The rest of the manifest's grace period (20 s) is the margin.
    expectInTime(elapsed, WAIT_MS + WINDOW_MS + 2000);
  });

  it.each<readonly [string, string]>([
    ['one process', '1'],
    ...(CAN_SHARE_PORTS ? [['two processes', '2'] as const] : []),
  ])(
    'ends connections with responses while it waits, and exits at once at a second one, with nothing left behind: %s',
    async (_, processes) => {
      await start({ DRAIN_WAIT: '20s', DRAIN_WINDOW: '20s', RELAY_PROCESSES: processes });
      const children = readFileSync(`/proc/${relay.pid}/task/${relay.pid}/children`, 'utf8').split(' ').filter(Boolean);
      const connectionHeader = async () =>
        (await fetch(`http://127.0.0.1:${relay.port}/topics/chat`)).headers.get('connection');
      expect(await connectionHeader()).not.toBe('close');
      relay.kill('SIGTERM');
      await eventually(async () => expect(await status('/readyz')).toBe(503));
      // Every process knows that it will stop, and ends connections with their responses.
      await eventually(async () => {
        const headers = await Promise.all(Array.from({ length: 8 }, connectionHeader));
        expect(new Set(headers)).toEqual(new Set(['close']));
      });
      const stopwatch = startStopwatch();
      relay.kill('SIGTERM');
      expect(await relay.ended()).toBe(143);
      expectInTime(stopwatch.stop(), 10_000); // half of its wait
      await eventually(() => {
        for (const pid of children) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
      });
    },
  );
});
