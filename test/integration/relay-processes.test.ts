import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CAN_SHARE_PORTS } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WsClient } from '../support/ws-client.ts';

const PROCESSES = 2;
const CLIENTS = 2000;

/** The child processes of a process. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe.runIf(CAN_SHARE_PORTS)('a relay of two processes', () => {
  let relay: ServiceProcess;
  let webhook: ServiceProcess;
  let children: number[];
  const clients: WsClient[] = [];

  beforeAll(async () => {
    const env = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: 'a-token-of-the-tests',
      STATS_TOKEN: 'a-token-of-the-tests',
    };
    webhook = await startService('webhook', env);
    relay = await startService('relay', {
      ...env,
      RELAY_PROCESSES: String(PROCESSES),
      DRAIN_WINDOW: '500ms',
      REBALANCE: '0',
    });
    children = childrenOf(relay.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('relay'));
  });
  afterAll(async () => {
    for (const client of clients) client.terminate();
    await Promise.all([relay.stop('SIGKILL'), webhook.stop('SIGKILL')]);
  });

  async function publish(): Promise<void> {
    const headers = { authorization: 'Bearer a-token-of-the-tests', 'content-type': 'application/json' };
    const call = { method: 'POST', headers, body: '{"topic":"chat"}' };
    expect((await fetch(`http://127.0.0.1:${webhook.port}/webhook`, call)).status).toBe(200);
  }

  it('distributes its clients evenly, delivers to all of them, and merges its metrics', async () => {
    expect(children).toHaveLength(PROCESSES);
    for (let i = 0; i < CLIENTS; i += 100) {
      const more = await Promise.all(
        Array.from({ length: 100 }, () => WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`)),
      );
      clients.push(...more);
    }
    await eventually(() => {
      for (const client of clients) expect(client.ofType('subscribed')).toHaveLength(1);
    });
    expect(await relay.metric('relay_connections')).toBe(CLIENTS);
    const text = await (await fetch(`http://127.0.0.1:${relay.adminPort}/metrics`)).text();
    expect(text).toContain('\nrelay_fresh 1\n');
    expect(text).toMatch(/\nheliograph_build_info\{.*\} 1\n/);
    await eventually(async () => expect(await relay.metric('relay_cluster_connections')).toBe(CLIENTS));
    await publish();
    await eventually(() => {
      for (const client of clients) expect(client.ofType('update')).toHaveLength(1);
    });
    await eventually(async () => expect(await relay.metric('relay_deliveries_total')).toBe(CLIENTS));
  });

  it('shows the statistics of all its processes on the admin port of the supervisor', async () => {
    await eventually(async () => {
      const url = `http://127.0.0.1:${relay.adminPort}/stats`;
      const answer = await fetch(url, { headers: { authorization: 'Bearer a-token-of-the-tests' } });
      const { relays, connections, traces } = await answer.json();
      expect({ relays, connections }).toEqual({ relays: PROCESSES, connections: clients.length });
      expect(traces.map((trace: { relays: number }) => trace.relays)).toContain(PROCESSES);
    });
  });

  it('restarts a process that exited, while the other one keeps serving', async () => {
    const [victim = 0] = children;
    process.kill(victim, 'SIGKILL');
    const countGone = () => clients.filter(({ closed }) => closed).length;
    await eventually(async () => {
      expect(countGone()).toBeGreaterThan(0);
      expect(await relay.metric('relay_connections')).toBe(CLIENTS - countGone());
    });
    const gone = countGone();
    console.info(`the first of ${PROCESSES} processes had ${gone} of ${CLIENTS} clients`);
    expect(Math.abs(gone - CLIENTS / PROCESSES)).toBeLessThan((CLIENTS / PROCESSES) * 0.15);
    await eventually(() => expect(childrenOf(relay.pid).filter(isAlive)).toHaveLength(PROCESSES));
    // A lower value would look like a counter reset.
    await eventually(async () => expect(await relay.metric('relay_deliveries_total')).toBe(CLIENTS));
    await eventually(() => expect(relay.log()).toContain('relay process exited'));
    const staying = clients.find(({ closed }) => closed === undefined);
    await publish();
    await eventually(() => expect(staying?.ofType('update')).toHaveLength(2));
    await eventually(async () => expect(await relay.metric('relay_cluster_relays')).toBe(PROCESSES));
  });

  it('closes all clients at SIGTERM, and leaves no process behind', async () => {
    const open = clients.filter(({ closed }) => closed === undefined);
    const pids = childrenOf(relay.pid);
    expect(await relay.stop()).toBe(0);
    await eventually(() => {
      for (const client of open) expect(client.closed?.code).toBe(1012);
    });
    expect(pids.filter(isAlive)).toEqual([]);
  });
});
