import { describe, expect, it } from 'vitest';
import { isLoopback, parseTarget, resolveTargets, type Target } from '../../../../services/loadtest/wire/target.ts';

const target = (text: string) => parseTarget(text) as Target;

describe('the address of a relay', () => {
  it('is parsed with the default port of its scheme and a base path', () => {
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

  it('has no TLS server name if it is an IP address (RFC 6066)', () => {
    expect(target('wss://10.0.0.1').serverName).toBeUndefined();
  });

  it('is rejected if it is not a URL of a supported scheme', () => {
    for (const text of ['', 'relay:8080', 'ftp://relay', 'http://', '/ws', 'http://a b']) {
      expect(parseTarget(text), text).toBeUndefined();
    }
  });

  it('is recognized as loopback', () => {
    expect(
      ['http://127.0.0.1', 'http://127.9.9.9', 'http://[::1]', 'http://10.0.0.1'].map((text) =>
        isLoopback(target(text)),
      ),
    ).toEqual([true, true, false, false]);
  });

  it('is resolved once and keeps its name for requests', async () => {
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
