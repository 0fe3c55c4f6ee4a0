import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { requireSameOrigin } from '../../../../services/shared/http/same-origin.ts';

const host = 'chat.example.org:8000';

describe('a request that writes', () => {
  it.each<[string, IncomingHttpHeaders]>([
    ['our page', { 'sec-fetch-site': 'same-origin', origin: 'http://chat.example.org:8000' }],
    [
      'our page behind a proxy that changes the host',
      { 'sec-fetch-site': 'same-origin', origin: 'https://example.org' },
    ],
    ['the person at the browser', { 'sec-fetch-site': 'none' }],
    ['our page in a browser that says less', { origin: 'http://chat.example.org:8000' }],
    ['our page, whatever its letters', { host: 'Chat.Example.ORG:8000', origin: 'http://chat.example.org:8000' }],
    ['no browser', {}],
  ])('is taken from %s', (_, headers) => {
    expect(() => requireSameOrigin({ host, ...headers })).not.toThrow();
  });

  it.each<[string, IncomingHttpHeaders]>([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' }],
    ['another page of this machine', { 'sec-fetch-site': 'same-site', origin: 'http://chat.example.org:9000' }],
    [
      'another site with our name as its origin',
      { 'sec-fetch-site': 'cross-site', origin: 'http://chat.example.org:8000' },
    ],
    ['another site in a browser that says less', { origin: 'http://evil.example' }],
    ['another port in a browser that says less', { origin: 'http://chat.example.org' }],
    ['a sandboxed page', { origin: 'null' }],
    ['an origin that is none', { origin: 'chat.example.org:8000' }],
    ['a site whose name begins with ours', { origin: 'http://chat.example.org:8000.evil.example' }],
    ['whoever sends no host', { host: undefined, origin: 'http://chat.example.org:8000' }],
  ])('is not taken from %s', (_, headers) => {
    expect(() => requireSameOrigin({ host, ...headers })).toThrow('Pages of other sites may not send this request');
  });
});
