import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClientPlan } from '../../../../services/loadtest/clients/client-plan.ts';
import { Population } from '../../../../services/loadtest/clients/client-pool.ts';
import { parseMix } from '../../../../services/loadtest/clients/transport-mix.ts';
import { Latency } from '../../../../services/loadtest/measure/latency.ts';
import { preciseNowMs } from '../../../../services/loadtest/timing/precise-now.ts';

const PLAN: ClientPlan = {
  first: 0,
  step: 1,
  count: 1,
  targets: [],
  sourceAddresses: [],
  choice: { topics: 1, topicsPerClient: 1, spread: 'even', prefix: 't' },
  mix: parseMix('ws=1') ?? expect.unreachable(),
  slowShare: 0,
  slowPauseMs: 0,
  rampMs: 0,
  churnPerSecond: 0,
  token: undefined,
};

/** What came of it, with the latencies from the least to the most. */
function figuresOf(population: Population) {
  const { latency, ...figures } = population.figures();
  const all = new Latency();
  all.add(latency);
  const latencies = Array.from({ length: all.count }, (_, i) => Math.round(all.quantile((i + 0.5) / all.count)));
  return { ...figures, latencies };
}

const update = (version: number, mark?: object) =>
  Buffer.from(JSON.stringify({ type: 'update', topic: 't0', version, data: mark }));

describe('a client of a load test', () => {
  let startMs: number;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
    startMs = preciseNowMs();
  });
  afterEach(() => void vi.useRealTimers());

  it('is as late as the update that it was told of', () => {
    const population = new Population(PLAN);
    population.message(0, Buffer.from('{"type":"subscribed","topics":{"t0":5}}'));
    vi.advanceTimersByTime(250);
    population.message(0, update(6, { dueMs: startMs + 100, sequence: 1 }));
    population.message(0, update(6, { dueMs: startMs + 100, sequence: 1 }));
    population.message(0, update(9, { dueMs: startMs + 200, sequence: 4 }));
    population.message(0, Buffer.from('{"type":"pong"}'));
    expect(figuresOf(population)).toMatchObject({ deliveries: 2, repeated: 1, skipped: 2, latencies: [50, 150] });
  });

  it('is told by somebody else, which says nothing about time', () => {
    const population = new Population(PLAN);
    population.message(0, update(6));
    expect(figuresOf(population)).toMatchObject({ deliveries: 1, latencies: [] });
  });

  it('fetches what is there over a long-poll, which is no news, and then waits for some', () => {
    const population = new Population({ ...PLAN, mix: parseMix('longpoll=1') ?? expect.unreachable() });
    population.message(0, Buffer.from('{"topic":"t0","version":5}'));
    expect(figuresOf(population).deliveries).toBe(0);
    population.message(0, Buffer.from('{"topic":"t0","version":6}'));
    expect(figuresOf(population).deliveries).toBe(1);
  });

  describe('that is not told what it is told of', () => {
    function create(more: Partial<ClientPlan['choice']> = {}): Population {
      const mix = parseMix('update_check=1') ?? expect.unreachable();
      const population = new Population({ ...PLAN, mix, choice: { ...PLAN.choice, ...more } });
      population.schedule = { startMs, intervalMs: 100 };
      return population;
    }

    it('is told of one update after the other, also where all are later than the next is due', () => {
      const population = create();
      vi.advanceTimersByTime(350);
      for (let i = 0; i < 3; i += 1) {
        population.updated(0);
        vi.advanceTimersByTime(10);
      }
      // Due at 0, 100 and 200; told at 350, 360 and 370.
      expect(figuresOf(population)).toMatchObject({ deliveries: 3, latencies: [170, 260, 350], caughtUp: 0 });
    });

    it('is told of each of its topics', () => {
      const population = create({ topics: 4, topicsPerClient: 2 });
      vi.advanceTimersByTime(110);
      population.updated(0); // of the topic 0
      population.updated(0); // of the topic 1
      vi.advanceTimersByTime(310);
      population.updated(0); // of the topic 0 again
      expect(figuresOf(population).latencies).toEqual([10, 20, 110]);
    });

    it('is told of nothing that is due later: that is what it missed before it came', () => {
      const population = create();
      vi.advanceTimersByTime(10);
      population.updated(0);
      population.updated(0);
      vi.advanceTimersByTime(100);
      population.updated(0);
      expect(figuresOf(population)).toMatchObject({ deliveries: 3, caughtUp: 1, latencies: [10, 10] });
    });
  });
});
