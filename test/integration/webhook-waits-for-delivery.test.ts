import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { expectInTime } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { publishCall, receiptCall, waitingCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

interface RelayReceipt {
  readonly relay: string;
  readonly state: string;
  readonly told?: number;
  readonly listening?: number;
  readonly behind?: number;
}

/** Returns the state of every relay by its process id. */
function statesOf({ body }: { body: { receipts?: { relays: RelayReceipt[] }[]; relays?: RelayReceipt[] } }) {
  const relays = body.relays ?? body.receipts?.[0]?.relays ?? [];
  return Object.fromEntries(relays.map(({ relay, state }) => [relay.split('/')[1], state]));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe('a call that waits for delivery', () => {
  let webhook: ServiceProcess;
  let relays: ServiceProcess[];
  let clients: WsClient[];
  let link: TcpProxy;

  beforeAll(async () => {
    const url = new URL(inject('redisUrl'));
    link = await TcpProxy.start({ port: Number(url.port), host: url.hostname });
    const env = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      DRAIN_WINDOW: '0s',
      REPAIR_INTERVAL: '1s',
    };
    const broken = { ...env, REDIS_URL: `redis://127.0.0.1:${link.port}` };
    [webhook, ...relays] = await Promise.all([
      startService('webhook', env),
      ...[env, env, broken].map((own) => startService('relay', own)),
    ]);
    clients = await Promise.all(
      ['/ws?topic=chat', '/ws?topic=chat', '/ws?topic=chat&topic=one'].map((path, i) =>
        WsClient.open(`ws://127.0.0.1:${relays[i]?.port}${path}`),
      ),
    );
    await eventually(() => expect(clients.every((client) => client.ofType('subscribed').length === 1)).toBe(true));
  });
  afterAll(async () => {
    for (const client of clients ?? []) client.terminate();
    await Promise.all([webhook, ...(relays ?? [])].map((service) => service?.stop('SIGKILL')));
    await link?.stop();
  });

  const relay = (place: number) => relays[place] as ServiceProcess;
  const client = (place: number) => clients[place] as WsClient;
  const has = (place: number, version: number) => client(place).ofType('update').at(-1)?.version >= version;

  it('ends once every relay has delivered, within a few round trips', async () => {
    const [waits, fanouts, plain]: [number[], number[], number[]] = [[], [], []];
    for (let n = 0; n < 50; n += 1) {
      const begunAt = performance.now();
      const told = clients.map(
        ({ socket }) =>
          new Promise<number>((resolve) => socket.once('message', () => resolve(performance.now() - begunAt))),
      );
      const answer = await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
      waits.push(answer.tookMs);
      fanouts.push(Math.max(...(await Promise.all(told))));
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ delivered: true, updates: [{ topic: 'chat' }] });
      expect(Object.values(statesOf(answer))).toEqual(['delivered', 'delivered', 'delivered']);
      plain.push((await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'nobody' })).tookMs);
    }
    const [wait, fanout, publish] = [median(waits), median(fanouts), median(plain)];
    console.info(
      `wait=delivered: ${wait.toFixed(1)} ms in the median; the last of all clients was told after ${fanout.toFixed(1)} ms, ` +
        `and a call that does not wait takes ${publish.toFixed(1)} ms`,
    );
    expect(wait).toBeLessThan(4 * (fanout + publish)); // medians of one run
    expect(await webhook.metric('webhook_waits_total{outcome="delivered"}')).toBe(50);
  });

  it('counts connections, and reports relays without subscribers as idle', async () => {
    const { body } = await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'one' });
    const receipts: RelayReceipt[] = body.receipts[0].relays;
    expect(receipts.filter(({ state }) => state === 'delivered')).toEqual([
      expect.objectContaining({ told: 1, listening: 1, behind: 0, version: body.updates[0].version }),
    ]);
    expect(receipts.filter(({ state }) => state === 'idle')).toHaveLength(2);
    expect(receipts.map(({ relay: name }) => name.split('/')[1]).sort()).toEqual(
      relays.map(({ pid }) => String(pid)).sort(),
    );
  });

  it('ends at once if there is no subscriber', async () => {
    const answer = await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'nobody' });
    expect(answer).toMatchObject({ status: 200, body: { delivered: true } });
    expect(Object.values(statesOf(answer))).toEqual(['idle', 'idle', 'idle']);
    await eventually(async () => expectInTime(await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'nobody' }), 1000));
  });

  it('names a frozen relay at the timeout, and a later request finds that it has delivered', async () => {
    relay(1).kill('SIGSTOP');
    const answer = await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'chat', timeout: '1500ms' });
    const states = statesOf(answer);
    const { version } = answer.body.updates[0];
    const later = await receiptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat', version });
    relay(1).kill('SIGCONT');
    expect(answer).toMatchObject({ status: 202, body: { delivered: false } });
    expect(answer.tookMs).toBeGreaterThanOrEqual(1500);
    expectInTime(answer, 2 * 1500);
    const named = { [relay(0).pid]: 'delivered', [relay(1).pid]: 'silent', [relay(2).pid]: 'delivered' };
    expect(states).toEqual(named);
    expect(later).toMatchObject({ status: 200, body: { topic: 'chat', version, delivered: false } });
    expect(statesOf(later)).toEqual(named);
    await eventually(async () => {
      const now = await receiptCall(webhook, WEBHOOK_TOKEN, answer.body.updates[0]);
      expect(now.body).toMatchObject({ delivered: true });
      expect(statesOf(now)[relay(1).pid]).toBe('delivered');
    });
    expect(has(1, answer.body.updates[0].version)).toBe(true);
    expect(await webhook.metric('webhook_waits_total{outcome="timeout"}')).toBe(1);
  });

  it('ends after repair if signals do not reach a relay', async () => {
    link.set('drops signals');
    const early = await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'chat', timeout: '100ms' });
    expect(early).toMatchObject({ status: 202 });
    expect(statesOf(early)[relay(2).pid]).toMatch(/pending|silent/);
    const answer = await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'chat', timeout: '10s' });
    console.info(`wait=delivered where a relay hears no signals: ${(answer.tookMs / 1000).toFixed(1)} s`);
    expect(answer).toMatchObject({ status: 200, body: { delivered: true } });
    expect(Object.values(statesOf(answer))).toEqual(['delivered', 'delivered', 'delivered']);
    expect(has(2, answer.body.updates[0].version)).toBe(true);
    link.set('passes');
  });

  it('counts a newer update as delivery of an older one, even if it was published without a wait', async () => {
    const { body } = await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    await eventually(async () =>
      expect((await receiptCall(webhook, WEBHOOK_TOKEN, body.updates[0])).body).toMatchObject({ delivered: true }),
    );
    const unknown = { topic: 'chat', version: body.updates[0].version + 3_600_000_000 };
    expect(await receiptCall(webhook, WEBHOOK_TOKEN, unknown)).toMatchObject({
      status: 404,
      body: { code: 'unknown_update' },
    });
  });

  it('does not wait for a killed relay once it has left the registry', async () => {
    await relay(1).stop('SIGKILL');
    const answer = await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'chat', timeout: '15s' });
    console.info(`wait=delivered where a relay was just killed: ${(answer.tookMs / 1000).toFixed(1)} s`);
    expect(answer).toMatchObject({ status: 200, body: { delivered: true } });
    expect(Object.values(statesOf(answer))).toEqual(['delivered', 'delivered']);
  });
});

describe('a call that waits for delivery while Redis comes back empty', () => {
  it('does not end before all relays have returned and delivered', async () => {
    const redis = await RedisProcess.start();
    const env = {
      REDIS_URL: redis.url,
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      DRAIN_WINDOW: '0s',
      FLOOR_SPREAD: '100ms',
    };
    const [webhook, ...relays] = await Promise.all([
      startService('webhook', env),
      ...[1, 2, 3].map(() => startService('relay', env)),
    ]);
    const clients = await Promise.all(relays.map(({ port }) => WsClient.open(`ws://127.0.0.1:${port}/ws?topic=chat`)));
    await eventually(() => expect(clients.every((client) => client.ofType('subscribed').length === 1)).toBe(true));
    await eventually(async () => {
      for (const relay of relays) expect(await relay.metric('relay_cluster_relays')).toBe(3);
    });

    for (let round = 0; round < 2; round += 1) {
      await redis.kill();
      await redis.runEmpty();
      const answer = await eventually(async () => {
        const answer = await waitingCall(webhook as ServiceProcess, WEBHOOK_TOKEN, { topic: 'chat', timeout: '10s' });
        expect(answer.status).toBe(200);
        return answer;
      });
      console.info(`wait=delivered right after Redis came back empty: ${answer.tookMs.toFixed(0)} ms`);
      expect(Object.values(statesOf(answer))).toEqual(['delivered', 'delivered', 'delivered']);
      await eventually(() => {
        for (const client of clients) {
          expect(client.ofType('update').at(-1)?.version).toBeGreaterThanOrEqual(answer.body.updates[0].version);
        }
      });
    }
    for (const client of clients) client.terminate();
    await Promise.all([webhook, ...relays].map((service) => service?.stop('SIGKILL')));
    await redis.stop();
  });
});
