import { Counter, Gauge, Histogram, Registry, register } from 'prom-client';
import { describe, expect, it } from 'vitest';
import {
  createMetricsRegistry,
  mergeCounters,
  renderMerged,
} from '../../../../services/shared/process/metrics-registry.ts';

describe('createMetricsRegistry', () => {
  it("has the build's and the process' own metrics", async () => {
    const text = await createMetricsRegistry({ service: 'webhook' }).metrics();
    expect(text).toMatch(
      /^heliograph_build_info\{service="webhook",version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m,
    );
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  });

  it('makes registries that know nothing of each other, and leaves the global one alone', () => {
    const one = createMetricsRegistry({ service: 'one' });
    const other = createMetricsRegistry({ service: 'other' });
    one.clear();
    expect(other.getMetricsAsArray()).not.toEqual([]);
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});

describe('the metrics of several processes', () => {
  /** A process that holds clients and has told them of updates. */
  function createProcess(clients: number, told: number): Registry {
    const registry = new Registry();
    const registers = [registry];
    new Gauge({ name: 'clients', help: 'x', registers }).set(clients);
    new Gauge({ name: 'fresh', help: 'x', aggregator: 'min', registers }).set(clients > 0 ? 1 : 0);
    new Counter({ name: 'told_total', help: 'x', labelNames: ['by'], registers }).inc({ by: 'ws' }, told);
    new Histogram({ name: 'took_seconds', help: 'x', buckets: [1], registers }).observe(told);
    return registry;
  }
  const json = (clients: number, told: number) => createProcess(clients, told).getMetricsAsJSON();

  it('are shown as those of one, each as it says itself', async () => {
    const text = await renderMerged([await json(3, 10), await json(0, 5), []]);
    expect(text).toMatch(/^clients 3$/m);
    expect(text).toMatch(/^fresh 0$/m);
    expect(text).toMatch(/^told_total\{by="ws"\} 15$/m);
    expect(text).toMatch(/^took_seconds_count 2$/m);
  });

  it('do not go down where one of them ends, also one after the other', async () => {
    let kept = await mergeCounters([[], await json(3, 10)]);
    kept = await mergeCounters([kept, await json(4, 7)]);
    const text = await renderMerged([await json(2, 1), kept]);
    expect(text).toMatch(/^clients 2$/m);
    expect(text).toMatch(/^fresh 1$/m);
    expect(text).toMatch(/^told_total\{by="ws"\} 18$/m);
    expect(text).toMatch(/^took_seconds_sum 18$/m);
  });
});
