import { describe, expect, it } from 'vitest';
import { judge, parseShare, parseThreshold } from '../../../../services/loadtest/options/thresholds.ts';

describe('a threshold', () => {
  it('is a share or a time, as its name is', () => {
    expect(parseThreshold('failed=0.1%')).toEqual({ name: 'failed', most: 0.001 });
    expect(parseThreshold('behind-5s=0%')).toEqual({ name: 'behind-5s', most: 0 });
    expect(parseThreshold('p99.9=2s')).toEqual({ name: 'p99.9', most: 2000 });
    for (const text of ['', '=', 'p99', 'p99=', '=1s', 'p99=1%', 'failed=1s', 'failed=1', 'toString=1%', ' p99=1s']) {
      expect(parseThreshold(text)).toBeUndefined();
    }
  });

  it('reads shares of at most everything', () => {
    expect(parseShare('100%')).toBe(1);
    for (const text of ['100.1%', '-1%', '1', '%', '1.%', '1e2%']) expect(parseShare(text)).toBeUndefined();
  });

  it('is kept by what is as large as it, and by nothing larger', () => {
    const most = { name: 'p99', most: 250 } as const;
    expect(judge([most], { p99: 250 })).toEqual([{ ...most, value: 250, isKept: true }]);
    expect(judge([most], { p99: 250.001 })[0]?.isKept).toBe(false);
  });

  it('is not kept by what was not measured', () => {
    const [verdict] = judge([{ name: 'behind-30s', most: 1 }], {});
    expect(verdict).toMatchObject({ value: undefined, isKept: false });
  });
});
