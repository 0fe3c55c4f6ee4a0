import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../../services/shared/logger.ts';
import { Lifecycle, type Part } from '../../../../services/shared/process/lifecycle.ts';
import { StartError } from '../../../../services/shared/start-error.ts';

const logger = createLogger({ name: 'test', level: 'silent' });
let done: string[];
let lifecycle: Lifecycle;

function part(name: string, overrides: Partial<Part> = {}): Part {
  return { start: () => done.push(`start ${name}`), stop: () => done.push(`stop ${name}`), ...overrides };
}

beforeEach(() => {
  done = [];
  lifecycle = new Lifecycle({ logger, shutdownTimeoutMs: 1000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Lifecycle', () => {
  it('starts in order, stops in reverse order, and returns 0', async () => {
    await lifecycle.start('a', part('a'));
    await lifecycle.start('b', part('b'));
    expect(await lifecycle.stop()).toBe(0);
    expect(done).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('lets the parts that have started prepare for the stop', async () => {
    const prepareStop = (waitMs: number) => void done.push(`prepare ${waitMs}`);
    await lifecycle.start('a', part('a', { prepareStop }));
    await lifecycle.start('b', part('b'));
    lifecycle.prepareStop(5000);
    await lifecycle.stop();
    expect(done).toEqual(['start a', 'start b', 'prepare 5000', 'stop b', 'stop a']);
  });

  it('returns the result of starting a part', async () => {
    expect(await lifecycle.start('server', { start: async () => 8090, stop: () => {} })).toBe(8090);
  });

  it('stops each part once, even if stopped repeatedly', async () => {
    await lifecycle.start('a', part('a'));
    expect(await Promise.all([lifecycle.stop(), lifecycle.stop()])).toEqual([0, 0]);
    expect(await lifecycle.stop()).toBe(0);
    expect(done).toEqual(['start a', 'stop a']);
  });

  it('stops the part that failed to start too, and names it', async () => {
    const failing = part('b', { start: () => Promise.reject(new StartError('no such file')) });
    await lifecycle.start('a', part('a'));
    await expect(lifecycle.start('b', failing)).rejects.toThrow(new StartError('b: no such file'));
    await lifecycle.stop();
    expect(done).toEqual(['start a', 'stop b', 'stop a']);
  });

  it('starts nothing once it is stopping', async () => {
    const stopped = lifecycle.stop();
    await expect(lifecycle.start('late', part('late'))).rejects.toThrow('late was not started');
    await stopped;
    expect(done).toEqual([]);
  });

  it('continues if a part fails to stop, and returns 1', async () => {
    await lifecycle.start('a', part('a'));
    await lifecycle.start('b', part('b', { stop: () => Promise.reject(new Error('no')) }));
    expect(await lifecycle.stop()).toBe(1);
    expect(done).toEqual(['start a', 'start b', 'stop a']);
  });

  it('returns 1 at the deadline if a part does not stop', async () => {
    vi.useFakeTimers();
    await lifecycle.start('a', part('a'));
    await lifecycle.start('b', part('b', { stop: () => new Promise(() => {}) }));
    const stopped = vi.fn();
    void lifecycle.stop().then(stopped);
    await vi.advanceTimersByTimeAsync(999);
    expect(stopped).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(stopped).toHaveBeenCalledWith(1);
  });

  it('returns 1 if the process has failed, even while it was stopping', async () => {
    await lifecycle.start('a', part('a', { stop: () => lifecycle.fail() }));
    expect(await lifecycle.stop()).toBe(1);
  });
});
