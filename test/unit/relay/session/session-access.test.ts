import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Access, Authorization } from '../../../../services/relay/access/authorization.ts';
import { SessionAccess, TOKEN_WAIT_MS } from '../../../../services/relay/session/session-access.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import { AppError } from '../../../../services/shared/errors.ts';

const DAY_MS = 24 * 3600 * 1000;
const nothing: Access = { hasToken: false, maySubscribe: () => false, expiresAtMs: Number.POSITIVE_INFINITY };

describe('the access of a session', () => {
  const told: string[] = [];
  let checks: Map<string, (outcome: Access | AppError) => void>;

  beforeEach(() => {
    vi.useFakeTimers();
    told.length = 0;
    checks = new Map();
  });
  afterEach(() => void vi.useRealTimers());

  function createAccess(tokenRequired: boolean): SessionAccess {
    const authorization: Authorization = {
      tokenRequired,
      anonymous: nothing,
      check: (token) =>
        new Promise((resolve, reject) => {
          checks.set(token, (outcome) => (outcome instanceof AppError ? reject(outcome) : resolve(outcome)));
        }),
    };
    const handler = {
      changed: () => void told.push('changed'),
      ended: ({ code }: AppError) => void told.push(code),
      kept: ({ code }: AppError) => void told.push(`kept: ${code}`),
    };
    return new SessionAccess({ authorization, handler, clock: SYSTEM_CLOCK });
  }

  const good = (inMs: number): Access => ({
    hasToken: true,
    maySubscribe: () => true,
    expiresAtMs: Date.now() + inMs,
  });

  it('ends if a token is needed and none is presented in time', () => {
    const access = createAccess(true);
    access.open(undefined, { canWait: true });
    vi.advanceTimersByTime(TOKEN_WAIT_MS - 1);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual(['unauthorized']);
  });

  it('uses the last of several concurrent tokens, whichever check ends first', async () => {
    const access = createAccess(true);
    access.open('one', { canWait: true });
    access.present('two');
    checks.get('two')?.(good(DAY_MS));
    await vi.advanceTimersByTimeAsync(0);
    checks.get('one')?.(new AppError('unauthorized'));
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['changed']);
    expect(access.pending).toBe(false);
  });

  it('waits for the last of several concurrent tokens, also if an earlier one is valid', async () => {
    const access = createAccess(true);
    access.open('one', { canWait: true });
    access.present('two');
    checks.get('one')?.(good(DAY_MS));
    await vi.advanceTimersByTimeAsync(0);
    expect([told, access.pending]).toEqual([[], true]);
    checks.get('two')?.(new AppError('unauthorized'));
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['unauthorized']);
  });

  it('needs no timer with a token that does not expire', async () => {
    const access = createAccess(true);
    access.open('one', { canWait: true });
    checks.get('one')?.(good(Number.POSITIVE_INFINITY));
    await vi.advanceTimersByTimeAsync(0);
    expect([told, vi.getTimerCount()]).toEqual([['changed'], 0]);
  });

  it('keeps the previous token while a new one cannot be verified, and ends with it', async () => {
    const access = createAccess(true);
    access.open('one', { canWait: true });
    checks.get('one')?.(good(DAY_MS));
    await vi.advanceTimersByTimeAsync(0);
    access.present('two');
    checks.get('two')?.(new AppError('keys_unavailable'));
    await vi.advanceTimersByTimeAsync(0);
    expect([access.pending, access.hasToken]).toEqual([false, true]);
    await vi.advanceTimersByTimeAsync(DAY_MS);
    expect(told).toEqual(['changed', 'kept: keys_unavailable', 'changed', 'unauthorized']);
  });

  it('ends if the first token cannot be verified, or a new one is invalid', async () => {
    const first = createAccess(true);
    first.open('one', { canWait: true });
    checks.get('one')?.(new AppError('keys_unavailable'));
    await vi.advanceTimersByTimeAsync(0);
    const second = createAccess(true);
    second.open('two', { canWait: true });
    checks.get('two')?.(good(DAY_MS));
    await vi.advanceTimersByTimeAsync(0);
    second.present('three');
    checks.get('three')?.(new AppError('unauthorized'));
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['keys_unavailable', 'changed', 'unauthorized']);
  });

  it('ends with its token, also if that lives longer than the longest timer', async () => {
    const access = createAccess(true);
    access.open('long', { canWait: true });
    checks.get('long')?.(good(60 * DAY_MS));
    await vi.advanceTimersByTimeAsync(59 * DAY_MS);
    expect(told).toEqual(['changed']);
    await vi.advanceTimersByTimeAsync(2 * DAY_MS);
    expect(told).toEqual(['changed', 'unauthorized']);
  });

  it('falls back to anonymous access when an optional token expires', async () => {
    const access = createAccess(false);
    access.open('short', { canWait: true });
    checks.get('short')?.(good(1000));
    await vi.advanceTimersByTimeAsync(999);
    expect(access.refusal('a' as never)).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(access.refusal('a' as never)).toBe('unauthorized');
    expect(told).toEqual(['changed', 'changed']);
  });

  it('is silent after it was stopped', async () => {
    const access = createAccess(true);
    access.open('one', { canWait: true });
    access.stop();
    checks.get('one')?.(good(10));
    await vi.advanceTimersByTimeAsync(DAY_MS);
    expect(told).toEqual([]);
  });
});
