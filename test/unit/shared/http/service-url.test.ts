import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createServiceUrl } from '../../../../services/shared/http/service-url.ts';

const requestWith = (host: string | undefined) => ({ headers: { host } }) as IncomingMessage;

describe('the URL of a service', () => {
  it('is the configured one', () => {
    const relayUrl = createServiceUrl({ url: 'https://push.example.org', port: 8080 });
    expect(relayUrl(requestWith('chat.example.org'))).toBe('https://push.example.org');
  });

  it.each([
    ['localhost:8000', 'http://localhost:8080'],
    ['192.168.1.20:8000', 'http://192.168.1.20:8080'],
    ['chat.example.org', 'http://chat.example.org:8080'],
    ['[::1]:8000', 'http://[::1]:8080'],
    ['[fe80::1]', 'http://[fe80::1]:8080'],
  ])('otherwise has the host of the request: %s', (host, expected) => {
    expect(createServiceUrl({ url: undefined, port: 8080 })(requestWith(host))).toBe(expected);
  });

  it.each([
    undefined,
    '',
    'a b',
    "x'; script-src *",
    'x;y',
    'x/y',
    'user@x',
    '"><b>',
    '[x]',
    'x:1:2',
    '\u00e4',
    '256.1.1.1',
    '[:::]',
    '0x100000000',
  ])('never contains an invalid host: %j', (host) => {
    expect(createServiceUrl({ url: undefined, port: 8080 })(requestWith(host))).toBe('http://localhost:8080');
  });
});
