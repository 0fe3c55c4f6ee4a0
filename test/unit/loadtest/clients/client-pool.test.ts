import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClientPlan } from '../../../../services/loadtest/clients/client-plan.ts';
import { ClientPool } from '../../../../services/loadtest/clients/client-pool.ts';
import { parseTransportMix } from '../../../../services/loadtest/clients/transport-mix.ts';
import { Latency } from '../../../../services/loadtest/measure/latency.ts';
import { preciseNowMs } from '../../../../services/loadtest/timing/precise-now.ts';

const PLAN: ClientPlan = {
  first: 0,
  step: 1,
  count: 1,
  targets: [],
  sourceAddresses: [],
  assignment: { topics: 1, topicsPerClient: 1, spread: 'even', prefix: 't' },
  mix: parseTransportMix('ws=1') ?? expect.unreachable(),
  slowShare: 0,
  slowPauseMs: 0,
  rampMs: 0,
  churnPerSecond: 0,
  token: undefined,
};

/** Returns the figures with the latencies in ascending order. */
function figuresOf(clients: ClientPool) {
  const { latency, ...figures } = clients.figures();
  const all = new Latency();
  all.add(latency);
  const latencies = Array.from({ length: all.count }, (_, i) => Math.round(all.quantile((i + 0.5) / all.count)));
  return { ...figures, latencies };
}

const update = (version: number, stamp?: object) =>
  Buffer.from(JSON.stringify({ type: 'update', topic: 't0', version, data: stamp }));

describe('a client of a load test', () => {
  let startMs: number;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
    startMs = preciseNowMs();
  });
  afterEach(() => void vi.useRealTimers());

  it('measures latency from the due time of each update', () => {
    const clients = new ClientPool(PLAN);
    clients.message(0, Buffer.from('{"type":"subscribed","topics":{"t0":5}}'));
    vi.advanceTimersByTime(250);
    clients.message(0, update(6, { dueMs: startMs + 100, sequence: 1 }));
    clients.message(0, update(6, { dueMs: startMs + 100, sequence: 1 }));
    clients.message(0, update(9, { dueMs: startMs + 200, sequence: 4 }));
    clients.message(0, Buffer.from('{"type":"pong"}'));
    expect(figuresOf(clients)).toMatchObject({ deliveries: 2, duplicates: 1, skipped: 2, latencies: [50, 150] });
  });

  it('is current on an update when it has it or a newer one, since its connection', () => {
    const nowhere = { host: '127.0.0.1', port: 1, isTls: false, basePath: '', authority: 'a', serverName: undefined };
    const clients = new ClientPool({ ...PLAN, targets: [nowhere] });
    clients.connect(0);
    clients.connection(0)?.close();
    clients.opened(0);
    clients.schedule = { startMs: startMs - 100, intervalMs: 100 };
    vi.advanceTimersByTime(250);
    clients.message(0, update(6, { dueMs: startMs + 200, sequence: 4 }));
    const { current } = clients.check({ versions: [9], dueMs: [startMs + 400], updates: 6 }, preciseNowMs());
    const times = current.map(({ update, relay, buckets, missing }) => ({
      update,
      relay,
      had: buckets.length,
      missing,
    }));
    // The first was due before the client connected; the last two have not arrived.
    expect(times).toEqual([
      { update: 1, relay: 0, had: 1, missing: 0 },
      { update: 2, relay: 0, had: 1, missing: 0 },
      { update: 3, relay: 0, had: 1, missing: 0 },
      { update: 4, relay: 0, had: 0, missing: 1 },
      { update: 5, relay: 0, had: 0, missing: 1 },
    ]);
  });

  it('counts updates of other publishers without a latency', () => {
    const clients = new ClientPool(PLAN);
    clients.message(0, update(6));
    expect(figuresOf(clients)).toMatchObject({ deliveries: 1, latencies: [] });
  });

  it('counts a client once that relays redirect, and gives up after as many redirects as it announced', () => {
    const nowhere = { host: '127.0.0.1', port: 1, isTls: false, basePath: '', authority: 'a', serverName: undefined };
    const clients = new ClientPool({ ...PLAN, targets: [nowhere] });
    clients.connect(0);
    for (let redirects = 0; redirects < 3; redirects++) {
      clients.connection(0)?.close();
      clients.opened(0); // a WebSocket, which the relay upgrades before it redirects it
      clients.redirected(0);
    }
    clients.connection(0)?.close();
    clients.opened(0);
    expect(figuresOf(clients)).toMatchObject({
      open: 1,
      opened: 1,
      handshakes: 1,
      redirected: 3,
      failed: {},
      lost: {},
    });
    clients.redirected(0);
    expect(figuresOf(clients)).toMatchObject({ open: 0, redirected: 3, lost: { 'redirected without tries left': 1 } });
  });

  it('does not count the first response of a long-poll as a delivery', () => {
    const clients = new ClientPool({ ...PLAN, mix: parseTransportMix('longpoll=1') ?? expect.unreachable() });
    clients.message(0, Buffer.from('{"topic":"t0","version":5}'));
    expect(figuresOf(clients).deliveries).toBe(0);
    clients.message(0, Buffer.from('{"topic":"t0","version":6}'));
    expect(figuresOf(clients).deliveries).toBe(1);
  });

  describe('of the legacy protocol', () => {
    function create(more: Partial<ClientPlan['assignment']> = {}): ClientPool {
      const mix = parseTransportMix('update_check=1') ?? expect.unreachable();
      const clients = new ClientPool({ ...PLAN, mix, assignment: { ...PLAN.assignment, ...more } });
      clients.schedule = { startMs, intervalMs: 100 };
      return clients;
    }

    it('attributes signals to the updates in order, also if all are late', () => {
      const clients = create();
      vi.advanceTimersByTime(350);
      for (let i = 0; i < 3; i += 1) {
        clients.signalled(0);
        vi.advanceTimersByTime(10);
      }
      // Due at 0, 100 and 200; received at 350, 360 and 370.
      expect(figuresOf(clients)).toMatchObject({ deliveries: 3, latencies: [170, 260, 350], caughtUp: 0 });
    });

    it('attributes signals to each of its topics', () => {
      const clients = create({ topics: 4, topicsPerClient: 2 });
      vi.advanceTimersByTime(110);
      clients.signalled(0); // topic 0
      clients.signalled(0); // topic 1
      vi.advanceTimersByTime(310);
      clients.signalled(0); // topic 0 again
      expect(figuresOf(clients).latencies).toEqual([10, 20, 110]);
    });

    it('counts a signal before the next due time as caught up', () => {
      const clients = create();
      vi.advanceTimersByTime(10);
      clients.signalled(0);
      clients.signalled(0);
      vi.advanceTimersByTime(100);
      clients.signalled(0);
      expect(figuresOf(clients)).toMatchObject({ deliveries: 3, caughtUp: 1, latencies: [10, 10] });
    });
  });
});
