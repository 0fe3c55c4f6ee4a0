import { describe, expect, it } from 'vitest';
import { evaluateThresholds, parseShare, parseThreshold } from '../../../../services/loadtest/options/thresholds.ts';

describe('a threshold', () => {
  it('is a share or a latency, depending on its name', () => {
    expect(parseThreshold('failed=0.1%')).toEqual({ name: 'failed', limit: 0.001 });
    expect(parseThreshold('behind-5s=0%')).toEqual({ name: 'behind-5s', limit: 0 });
    expect(parseThreshold('p99.9=2s')).toEqual({ name: 'p99.9', limit: 2000 });
    for (const text of ['', '=', 'p99', 'p99=', '=1s', 'p99=1%', 'failed=1s', 'failed=1', 'toString=1%', ' p99=1s']) {
      expect(parseThreshold(text)).toBeUndefined();
    }
  });

  it('accepts shares up to 100 %', () => {
    expect(parseShare('100%')).toBe(1);
    for (const text of ['100.1%', '-1%', '1', '%', '1.%', '1e2%']) expect(parseShare(text)).toBeUndefined();
  });

  it('is met by a value up to the limit', () => {
    const threshold = { name: 'p99', limit: 250 } as const;
    expect(evaluateThresholds([threshold], { p99: 250 })).toEqual([{ ...threshold, value: 250, passed: true }]);
    expect(evaluateThresholds([threshold], { p99: 250.001 })[0]?.passed).toBe(false);
  });

  it('is not met if the value was not measured', () => {
    const [result] = evaluateThresholds([{ name: 'behind-30s', limit: 1 }], {});
    expect(result).toMatchObject({ value: undefined, passed: false });
  });
});
