import { Counter, Gauge, Histogram, Registry, register } from 'prom-client';
import { describe, expect, it } from 'vitest';
import {
  createMetricsRegistry,
  mergeCounters,
  renderMerged,
} from '../../../../services/shared/process/metrics-registry.ts';

describe('createMetricsRegistry', () => {
  it('has the metrics of the build and of the process', async () => {
    const text = await createMetricsRegistry({ service: 'webhook' }).metrics();
    expect(text).toMatch(
      /^heliograph_build_info\{service="webhook",version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m,
    );
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  });

  it('creates independent registries, and does not use the global one', () => {
    const one = createMetricsRegistry({ service: 'one' });
    const other = createMetricsRegistry({ service: 'other' });
    one.clear();
    expect(other.getMetricsAsArray()).not.toEqual([]);
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});

describe('the metrics of several processes', () => {
  /** Returns the metrics of a process with clients and deliveries. */
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

  it('are merged, each by its own aggregation', async () => {
    const text = await renderMerged([await json(3, 10), await json(0, 5), []]);
    expect(text).toMatch(/^clients 3$/m);
    expect(text).toMatch(/^fresh 0$/m);
    expect(text).toMatch(/^told_total\{by="ws"\} 15$/m);
    expect(text).toMatch(/^took_seconds_count 2$/m);
  });

  it('do not decrease when processes exit, one after the other', async () => {
    let kept = await mergeCounters([[], await json(3, 10)]);
    kept = await mergeCounters([kept, await json(4, 7)]);
    const text = await renderMerged([await json(2, 1), kept]);
    expect(text).toMatch(/^clients 2$/m);
    expect(text).toMatch(/^fresh 1$/m);
    expect(text).toMatch(/^told_total\{by="ws"\} 18$/m);
    expect(text).toMatch(/^took_seconds_sum 18$/m);
  });
});
