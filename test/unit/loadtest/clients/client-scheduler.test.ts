import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pace } from '../../../../services/loadtest/clients/client-scheduler.ts';

/** Clients that are there as soon as they come, or when they are let in. */
class FakePopulation {
  readonly came: number[] = [];
  readonly churned: number[] = [];
  readonly paused = new Set<number>();
  readonly waiting = new Set<number>();
  isSlowFrom = 0.9;
  letsIn = true;

  get opening(): number {
    return this.waiting.size;
  }
  connect(client: number): void {
    this.came.push(client);
    if (!this.letsIn) this.waiting.add(client);
  }
  churn(client: number): void {
    this.churned.push(client);
  }
  isOpen(client: number): boolean {
    return this.came.includes(client) && !this.waiting.has(client);
  }
  isSlow(client: number): boolean {
    return client >= this.isSlowFrom;
  }
  connection(client: number) {
    return { pause: () => void this.paused.add(client), resume: () => void this.paused.delete(client) } as never;
  }
  sweep = vi.fn();
}

describe('the pace of clients', () => {
  let population: FakePopulation;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
    population = new FakePopulation();
  });
  afterEach(() => {
    vi.clearAllTimers();
    vi.useRealTimers();
  });

  function start(more: Partial<ConstructorParameters<typeof Pace>[0]['plan']> = {}): Pace {
    const plan = { count: 1000, rampMs: 10_000, churnPerSecond: 0, slowShare: 0, slowPauseMs: 5000, ...more };
    const pace = new Pace({ plan, population });
    pace.start();
    return pace;
  }

  it('lets them come evenly along the ramp, each once', () => {
    const pace = start();
    for (const [passedMs, came] of [
      [2500, 250],
      [2500, 500],
      [5000, 1000],
    ] as const) {
      vi.advanceTimersByTime(passedMs);
      expect(Math.abs(population.came.length - came)).toBeLessThanOrEqual(2);
    }
    vi.advanceTimersByTime(1000);
    expect(population.came).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(pace.isRamped).toBe(true);
  });

  it('lets all come at once without a ramp, but only so many handshakes wait at a time', () => {
    population.letsIn = false;
    const pace = start({ rampMs: 0 });
    vi.advanceTimersByTime(1000);
    expect(population.came).toHaveLength(250);
    population.waiting.clear();
    vi.advanceTimersByTime(20);
    expect(population.came).toHaveLength(500);
    expect(pace.isRamped).toBe(false);
  });

  it('is not at the end of the ramp while a client waits for its answer', () => {
    population.letsIn = false;
    const pace = start({ count: 10, rampMs: 0 });
    vi.advanceTimersByTime(20);
    expect(pace.isRamped).toBe(false);
    population.waiting.clear();
    expect(pace.isRamped).toBe(true);
  });

  it('lets nobody new come once the ramp was ended', () => {
    const pace = start();
    vi.advanceTimersByTime(1000);
    const { length } = population.came;
    pace.endRamp();
    vi.advanceTimersByTime(20_000);
    expect(population.came).toHaveLength(length);
    expect(pace.isRamped).toBe(true);
  });

  it('sends so many away each second, one after the other, and none that is not there', () => {
    const pace = start({ count: 40, rampMs: 0, churnPerSecond: 15 });
    vi.advanceTimersByTime(100);
    population.waiting.add(3);
    expect(population.churned).toEqual([]);
    pace.startChurn();
    vi.advanceTimersByTime(4000);
    expect(Math.abs(population.churned.length - 60)).toBeLessThanOrEqual(1);
    expect(population.churned.slice(0, 4)).toEqual([0, 1, 2, 4]);
  });

  it('waits for clients that may go where none is there', () => {
    population.letsIn = false;
    start({ count: 5, rampMs: 0, churnPerSecond: 100 }).startChurn();
    vi.advanceTimersByTime(1000);
    expect(population.churned).toEqual([]);
  });

  it('lets slow readers read for a second between their pauses', () => {
    population.isSlowFrom = 8;
    start({ count: 10, rampMs: 0, slowShare: 0.2, slowPauseMs: 3000 });
    vi.advanceTimersByTime(3000);
    expect([...population.paused]).toEqual([]); // they have just come, and begin with reading
    vi.advanceTimersByTime(1000);
    expect([...population.paused]).toEqual([8, 9]);
    vi.advanceTimersByTime(2900);
    expect([...population.paused]).toEqual([8, 9]);
    vi.advanceTimersByTime(200);
    expect([...population.paused]).toEqual([]);
  });

  it('looks every second for handshakes that take too long', () => {
    start();
    vi.advanceTimersByTime(5000);
    expect(population.sweep).toHaveBeenCalledTimes(5);
  });
});
