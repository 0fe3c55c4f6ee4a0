import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClientScheduler } from '../../../../services/loadtest/clients/client-scheduler.ts';

/** Clients that connect at once, or only when the test accepts them. */
class FakeClients {
  readonly connected: number[] = [];
  readonly churned: number[] = [];
  readonly paused = new Set<number>();
  readonly waiting = new Set<number>();
  isSlowFrom = 0.9;
  accepts = true;

  get opening(): number {
    return this.waiting.size;
  }
  connect(client: number): void {
    this.connected.push(client);
    if (!this.accepts) this.waiting.add(client);
  }
  churn(client: number): void {
    this.churned.push(client);
  }
  isOpen(client: number): boolean {
    return this.connected.includes(client) && !this.waiting.has(client);
  }
  isSlow(client: number): boolean {
    return client >= this.isSlowFrom;
  }
  connection(client: number) {
    return { pause: () => void this.paused.add(client), resume: () => void this.paused.delete(client) } as never;
  }
  sweep = vi.fn();
}

describe('the client scheduler', () => {
  let clients: FakeClients;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
    clients = new FakeClients();
  });
  afterEach(() => {
    vi.clearAllTimers();
    vi.useRealTimers();
  });

  function start(more: Partial<ConstructorParameters<typeof ClientScheduler>[0]['plan']> = {}): ClientScheduler {
    const plan = { count: 1000, rampMs: 10_000, churnPerSecond: 0, slowShare: 0, slowPauseMs: 5000, ...more };
    const scheduler = new ClientScheduler({ plan, clients });
    scheduler.start();
    return scheduler;
  }

  it('connects each client once, evenly along the ramp', () => {
    const scheduler = start();
    for (const [elapsedMs, expected] of [
      [2500, 250],
      [2500, 500],
      [5000, 1000],
    ] as const) {
      vi.advanceTimersByTime(elapsedMs);
      expect(Math.abs(clients.connected.length - expected)).toBeLessThanOrEqual(2);
    }
    vi.advanceTimersByTime(1000);
    expect(clients.connected).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(scheduler.isRampDone).toBe(true);
  });

  it('connects all clients at once without a ramp, but limits the handshakes in progress', () => {
    clients.accepts = false;
    const scheduler = start({ rampMs: 0 });
    vi.advanceTimersByTime(1000);
    expect(clients.connected).toHaveLength(250);
    clients.waiting.clear();
    vi.advanceTimersByTime(20);
    expect(clients.connected).toHaveLength(500);
    expect(scheduler.isRampDone).toBe(false);
  });

  it('ends the ramp only after the last handshake', () => {
    clients.accepts = false;
    const scheduler = start({ count: 10, rampMs: 0 });
    vi.advanceTimersByTime(20);
    expect(scheduler.isRampDone).toBe(false);
    clients.waiting.clear();
    expect(scheduler.isRampDone).toBe(true);
  });

  it('connects no further clients after the ramp was ended', () => {
    const scheduler = start();
    vi.advanceTimersByTime(1000);
    const { length } = clients.connected;
    scheduler.endRamp();
    vi.advanceTimersByTime(20_000);
    expect(clients.connected).toHaveLength(length);
    expect(scheduler.isRampDone).toBe(true);
  });

  it('churns the requested number of clients per second in turn, skipping disconnected ones', () => {
    const scheduler = start({ count: 40, rampMs: 0, churnPerSecond: 15 });
    vi.advanceTimersByTime(100);
    clients.waiting.add(3);
    expect(clients.churned).toEqual([]);
    scheduler.startChurn();
    vi.advanceTimersByTime(4000);
    expect(Math.abs(clients.churned.length - 60)).toBeLessThanOrEqual(1);
    expect(clients.churned.slice(0, 4)).toEqual([0, 1, 2, 4]);
  });

  it('churns nothing while no client is connected', () => {
    clients.accepts = false;
    start({ count: 5, rampMs: 0, churnPerSecond: 100 }).startChurn();
    vi.advanceTimersByTime(1000);
    expect(clients.churned).toEqual([]);
  });

  it('lets slow readers read for a second between pauses', () => {
    clients.isSlowFrom = 8;
    start({ count: 10, rampMs: 0, slowShare: 0.2, slowPauseMs: 3000 });
    vi.advanceTimersByTime(3000);
    expect([...clients.paused]).toEqual([]); // slow readers start by reading
    vi.advanceTimersByTime(1000);
    expect([...clients.paused]).toEqual([8, 9]);
    vi.advanceTimersByTime(2900);
    expect([...clients.paused]).toEqual([8, 9]);
    vi.advanceTimersByTime(200);
    expect([...clients.paused]).toEqual([]);
  });

  it('looks for timed-out handshakes every second', () => {
    start();
    vi.advanceTimersByTime(5000);
    expect(clients.sweep).toHaveBeenCalledTimes(5);
  });
});
