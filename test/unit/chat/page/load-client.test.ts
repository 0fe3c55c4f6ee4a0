import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ClientModule, loadClient } from '../../../../services/chat/page/load-client.ts';

const CLIENT = {} as ClientModule;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the client library', () => {
  it('is loaded from the relay', async () => {
    const load = vi.fn(async (_url: string) => CLIENT);
    expect(await loadClient('http://relay', () => {}, load)).toBe(CLIENT);
    expect(load.mock.calls).toEqual([['http://relay/client.js']]);
  });

  it('is requested again until it loads, each time by another URL, since browsers cache failures', async () => {
    const load = vi.fn(async (_url: string): Promise<ClientModule> => {
      if (load.mock.calls.length < 4) throw new TypeError('Failed to fetch');
      return CLIENT;
    });
    const failed = vi.fn();
    const loading = loadClient('http://relay', failed, load);
    await vi.runAllTimersAsync();
    expect(await loading).toBe(CLIENT);
    expect(load.mock.calls.flat()).toEqual([
      'http://relay/client.js',
      'http://relay/client.js?try=1',
      'http://relay/client.js?try=2',
      'http://relay/client.js?try=3',
    ]);
    expect(failed).toHaveBeenCalledTimes(3);
  });
});
