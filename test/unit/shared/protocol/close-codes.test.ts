import { describe, expect, it } from 'vitest';
import { mayRetry, REBALANCING, TOO_FAST } from '../../../../services/shared/protocol/close-codes.ts';

describe('a client may reconnect unchanged', () => {
  it.each([1000, 1006, 1012, 4399, TOO_FAST, 4500, REBALANCING])('after %i', (code) => {
    expect(mayRetry(code)).toBe(true);
  });

  it.each([4400, 4401, 4403, 4499])('but not after %i', (code) => {
    expect(mayRetry(code)).toBe(false);
  });
});
