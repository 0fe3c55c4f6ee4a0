import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

/** What the README promises. */
const MAX_GZIPPED_BYTES = 5 * 1024;

describe('the client file', () => {
  let relay: RelayFixture;
  beforeAll(async () => {
    relay = await startRelay();
  });
  afterAll(() => relay.stop());

  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${relay.http}${path}`, { headers });

  it('has at most 5 KB gzipped', async () => {
    const bytes = gzipSync(await (await get('/client.js')).text(), { level: 9 }).length;
    console.info(`client.js: ${bytes} bytes gzipped, of ${MAX_GZIPPED_BYTES}`);
    expect(bytes).toBeLessThanOrEqual(MAX_GZIPPED_BYTES);
  });

  it('is asked for again under its plain name, and costs nothing where it is the same', async () => {
    const response = await get('/client.js');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const etag = response.headers.get('etag') ?? '';
    expect((await get('/client.js', { 'if-none-match': etag })).status).toBe(304);
  });

  it('stays for ever under the name that the plain one tells', async () => {
    const plain = await get('/client.js');
    const location = plain.headers.get('content-location') ?? '';
    expect(location).toMatch(/^\/client-[0-9a-f]{12}\.js$/);
    const hashed = await get(location);
    expect(hashed.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(hashed.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await hashed.text()).toBe(await plain.text());
  });

  it('has a source map where it says', async () => {
    const { headers } = await get('/client.js');
    const map = await (await get(headers.get('sourcemap') ?? '')).json();
    expect(map.sources).toContainEqual(expect.stringMatching(/client\/heliograph-client\.ts$/));
  });
});
