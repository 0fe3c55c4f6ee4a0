import { describe, expect, it } from 'vitest';
import { readOriginConfig } from '../../../../services/relay/access/access-config.ts';
import { Origins } from '../../../../services/relay/access/origins.ts';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';

function originsOf(env: Record<string, string>): Origins {
  const reader = new EnvReader(env);
  const config = readOriginConfig(reader);
  reader.finish();
  return new Origins(config);
}

describe('origins', () => {
  const listed = {
    ALLOWED_ORIGINS: 'https://example.org, https://*.example.com,http://localhost:8000, http://*.example.net',
  };
  it.each([
    ['https://example.org', true],
    ['https://example.org:443', true],
    ['http://example.org', false],
    ['https://example.org:8443', false],
    ['https://www.example.org', false],
    ['https://example.org.evil.net', false],
    ['https://evil-example.org', false],
    ['https://a.example.com', true],
    ['https://a.b.example.com', true],
    ['https://example.com', false],
    ['https://.example.com', false],
    ['https://a..example.com', false],
    ['https://a.example.com:8443', false],
    ['http://b.example.net', true],
    ['https://b.example.net', false],
    ['https://a.example.com:', false],
    ['https://notexample.com', false],
    ['http://a.example.com', false],
    ['https://evil.net/.example.com', false],
    ['https://evil.net#.example.com', false],
    ['https://evil.net?.example.com', false],
    ['https://a.example.com@evil.net', false],
    ['http://localhost:8000', true],
    ['http://localhost', false],
    ['null', false],
    ['file://', false],
    ['https://', false],
    ['*', false],
    ['https://example.org https://evil.net', false],
  ])('with a list: may pages of %s connect? %s', (origin, allowed) => {
    const origins = originsOf(listed);
    expect(origins.mayConnect(origin, 'relay.example.org')).toBe(allowed);
    expect(origins.corsHeaders(origin, 'relay.example.org')['Access-Control-Allow-Origin']).toBe(
      allowed ? origin : undefined,
    );
  });

  it.each([
    ['https://push.example.org', 'push.example.org', true],
    ['https://push.example.org:8443', 'push.example.org', true],
    ['http://push.example.org', 'push.example.org:8080', true],
    ['https://example.org', 'push.example.org', false],
    ['https://evil.net', 'push.example.org', false],
    ['null', 'push.example.org', false],
    ['web+http://push.example.org', 'push.example.org', false],
    ['https://evil.net', '', false],
    ['http://[::1]:8000', '[::1]:8080', true],
  ])('in production without a list: may pages of %s connect to %s? %s', (origin, host, allowed) => {
    expect(originsOf({ NODE_ENV: 'production' }).mayConnect(origin, host)).toBe(allowed);
  });

  const apps = 'null, file://, capacitor://localhost,tauri://localhost, chrome-extension://abcdefghijklmnop';
  it.each([
    ['null', true],
    ['file://', true],
    ['capacitor://localhost', true],
    ['tauri://localhost', true],
    ['chrome-extension://abcdefghijklmnop', true],
    ['chrome-extension://ponmlkjihgfedcba', false],
    ['moz-extension://abcdefghijklmnop', false],
    ['capacitor://localhost:80', false],
    ['capacitor://localhost.evil.net', false],
    ['file://evil', false],
    ['https://localhost', false],
    ['nullx', false],
  ])('with a list of apps: may pages of %s connect? %s', (origin, allowed) => {
    expect(originsOf({ ALLOWED_ORIGINS: apps }).mayConnect(origin, 'here')).toBe(allowed);
    expect(originsOf({ ALLOWED_ORIGINS: '*', NODE_ENV: 'production' }).mayConnect(origin, 'here')).toBe(true);
  });

  it('pages may send cookies only if the list names their site, or the domain above it', () => {
    const origins = originsOf({ ALLOWED_ORIGINS: `*, ${apps}, https://example.org, https://*.example.com` });
    const mayUseCookies = (origin: string) => {
      const headers = origins.corsHeaders(origin, 'here');
      expect(headers['Access-Control-Allow-Origin']).toBe(origin);
      return headers['Access-Control-Allow-Credentials'] === 'true';
    };
    for (const origin of ['https://example.org', 'https://a.example.com', 'capacitor://localhost']) {
      expect(mayUseCookies(origin), origin).toBe(true);
    }
    for (const origin of ['https://evil.net', 'null', 'file://']) expect(mayUseCookies(origin), origin).toBe(false);
    for (const env of [{}, { NODE_ENV: 'production' }]) {
      expect(originsOf(env).corsHeaders('https://here', 'here')).not.toHaveProperty('Access-Control-Allow-Credentials');
    }
  });

  it('without a list outside production, and with *, all may connect', () => {
    expect(originsOf({}).mayConnect('https://evil.net', 'here')).toBe(true);
    expect(originsOf({}).corsHeaders('https://evil.net', 'here')).toEqual({ 'Access-Control-Allow-Origin': '*' });
    expect(originsOf({ ALLOWED_ORIGINS: '*', NODE_ENV: 'production' }).mayConnect('https://evil.net', 'x')).toBe(true);
  });

  it('requests without an origin may connect, unless that is disabled', () => {
    expect(originsOf(listed).mayConnect('', 'here')).toBe(true);
    expect(originsOf({ ...listed, ALLOW_NO_ORIGIN: 'false' }).mayConnect('', 'here')).toBe(false);
  });

  it('responses vary by origin, so that caches keep them apart', () => {
    expect(originsOf(listed).corsHeaders('https://evil.net', 'here')).toEqual({ Vary: 'Origin' });
    expect(originsOf({ ALLOWED_ORIGINS: '*' }).corsHeaders('', 'here')).toEqual({ Vary: 'Origin' });
  });

  it.each([
    'example.org',
    'https://',
    'https://*',
    'https://a.*.org',
    'https://example.org/',
    'ftp://example.org',
    'https://*.',
    'https://*.example.org/',
    'web+https://*.example.org',
    'https://*.example.org\nhttps://example.net',
    'wss://example.org',
    'capacitor://localhost/path',
    'localhost',
    'chrome-extension://*',
  ])('the list may not hold %s', (origin) => {
    expect(() => originsOf({ ALLOWED_ORIGINS: origin })).toThrow('ALLOWED_ORIGINS must hold origins');
  });
});
