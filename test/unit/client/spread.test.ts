import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Spread } from '../../../services/client/spread.ts';

describe('a spread', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('calls back at once where there is nothing to spread', () => {
    const callback = vi.fn();
    const spread = new Spread(callback);
    spread.within();
    spread.within(0);
    expect(callback).toHaveBeenCalledTimes(2);
  });

  it('waits a part of the span, and merges what comes meanwhile', () => {
    const callback = vi.fn();
    const spread = new Spread(callback, () => 0.5);
    spread.within(1000);
    vi.advanceTimersByTime(400);
    spread.within(1000);
    spread.within(0);
    vi.advanceTimersByTime(99);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(10_000);
    expect(callback).toHaveBeenCalledTimes(1);
    spread.within(1000);
    vi.advanceTimersByTime(500);
    expect(callback).toHaveBeenCalledTimes(2);
  });

  it('spreads many evenly', () => {
    const callback = vi.fn();
    for (let i = 0; i < 1000; i += 1) new Spread(callback, () => i / 1000).within(1000);
    vi.advanceTimersByTime(250);
    expect(callback.mock.calls.length).toBeGreaterThanOrEqual(249);
    expect(callback.mock.calls.length).toBeLessThanOrEqual(252);
  });

  it('calls nobody after it was cancelled', () => {
    const callback = vi.fn();
    const spread = new Spread(callback, () => 0.5);
    spread.within(1000);
    spread.cancel();
    vi.advanceTimersByTime(2000);
    expect(callback).not.toHaveBeenCalled();
  });
});
