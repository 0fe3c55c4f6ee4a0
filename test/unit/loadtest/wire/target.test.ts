import { describe, expect, it } from 'vitest';
import { resolveTargets } from '../../../../services/loadtest/wire/resolve-targets.ts';
import { isLoopback, parseTarget, type Target } from '../../../../services/loadtest/wire/target.ts';

const target = (text: string) => parseTarget(text) as Target;

describe('the address of a relay', () => {
  it('is read with the port of its scheme, and the path before those of a relay', () => {
    expect(target('https://push.example.org/relay/')).toEqual({
      host: 'push.example.org',
      port: 443,
      isTls: true,
      basePath: '/relay',
      authority: 'push.example.org',
      serverName: 'push.example.org',
    });
    expect(target('ws://[::1]:8080')).toMatchObject({ host: '::1', port: 8080, isTls: false, basePath: '' });
  });

  it('shows no name to the certificate where it is a number (RFC 6066)', () => {
    expect(target('wss://10.0.0.1').serverName).toBeUndefined();
  });

  it('is none of anything else', () => {
    for (const text of ['', 'relay:8080', 'ftp://relay', 'http://', '/ws', 'http://a b']) {
      expect(parseTarget(text), text).toBeUndefined();
    }
  });

  it('is on this machine where clients may come from any address of loopback', () => {
    expect(
      ['http://127.0.0.1', 'http://127.9.9.9', 'http://[::1]', 'http://10.0.0.1'].map((text) =>
        isLoopback(target(text)),
      ),
    ).toEqual([true, true, false, false]);
  });

  it('is looked up once, and keeps its name for whom it asks', async () => {
    const [found, ...others] = await resolveTargets([target('https://localhost:8443/a')]);
    expect(found).toMatchObject({
      host: '127.0.0.1',
      port: 8443,
      authority: 'localhost:8443',
      serverName: 'localhost',
    });
    expect(others.every(({ host }) => host.startsWith('127.'))).toBe(true);
    await expect(resolveTargets([target('http://no-such-host.invalid')])).rejects.toThrow(/no-such-host\.invalid/);
  });
});
