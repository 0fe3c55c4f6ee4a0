import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { requireSameOrigin } from '../../../../services/shared/http/same-origin.ts';

const host = 'chat.example.org:8000';

describe('requireSameOrigin', () => {
  it.each<[string, IncomingHttpHeaders]>([
    ['a page of this origin', { 'sec-fetch-site': 'same-origin', origin: 'http://chat.example.org:8000' }],
    [
      'our page behind a proxy that changes the host',
      { 'sec-fetch-site': 'same-origin', origin: 'https://example.org' },
    ],
    ['the person at the browser', { 'sec-fetch-site': 'none' }],
    ['a page of this origin in an old browser', { origin: 'http://chat.example.org:8000' }],
    [
      'a page of this origin in other letter case',
      { host: 'Chat.Example.ORG:8000', origin: 'http://chat.example.org:8000' },
    ],
    ['no browser', {}],
  ])('accepts %s', (_, headers) => {
    expect(() => requireSameOrigin({ host, ...headers })).not.toThrow();
  });

  it.each<[string, IncomingHttpHeaders]>([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' }],
    ['another page of this machine', { 'sec-fetch-site': 'same-site', origin: 'http://chat.example.org:9000' }],
    [
      'another site with our name as its origin',
      { 'sec-fetch-site': 'cross-site', origin: 'http://chat.example.org:8000' },
    ],
    ['another site in an old browser', { origin: 'http://evil.example' }],
    ['another port in an old browser', { origin: 'http://chat.example.org' }],
    ['a sandboxed page', { origin: 'null' }],
    ['an origin that is none', { origin: 'chat.example.org:8000' }],
    ['a site whose name begins with this one', { origin: 'http://chat.example.org:8000.evil.example' }],
    ['a request without a host', { host: undefined, origin: 'http://chat.example.org:8000' }],
  ])('rejects %s', (_, headers) => {
    expect(() => requireSameOrigin({ host, ...headers })).toThrow('Pages of other sites may not send this request');
  });
});
