import { register } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createMetricsRegistry } from '../../../../services/shared/process/metrics-registry.ts';

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
