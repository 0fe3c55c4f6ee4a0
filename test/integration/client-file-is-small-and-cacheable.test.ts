import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../services/relay/engine/create-engine.ts';
import { serveFile } from '../../services/relay/transport/http/client-file.ts';
import { ENGINES } from '../support/engines.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { startNginx } from '../support/nginx.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

/** The limit that the page of the library states. */
const MAX_GZIPPED_BYTES = 6 * 1024;
const PAGE = readFileSync(new URL('../../services/client/README.md', import.meta.url), 'utf8');

describe.each(ENGINES)('the client file, served by %s,', (engine) => {
  let relay: RelayFixture;
  beforeAll(async () => {
    relay = await startRelay({ env: { RELAY_ENGINE: engine } });
  });
  afterAll(() => relay.stop());

  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${relay.http}${path}`, { headers });

  it('has at most 6 KB gzipped', async () => {
    const bytes = gzipSync(await (await get('/client.js')).text(), { level: 9 }).length;
    console.info(`client.js: ${bytes} bytes gzipped, of ${MAX_GZIPPED_BYTES}`);
    expect(bytes).toBeLessThanOrEqual(MAX_GZIPPED_BYTES);
    expect(PAGE).toContain(`at most ${MAX_GZIPPED_BYTES / 1024} KB gzipped`);
  });

  it('is revalidated under its plain name, with 304 if it is unchanged', async () => {
    const response = await get('/client.js');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const etag = response.headers.get('etag') ?? '';
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*', etag.replace(/"$/, '-gzip"')]) {
      expect((await get('/client.js', { 'if-none-match': known })).status, known).toBe(304);
    }
    expect((await get('/client.js', { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('is revalidated with 304 behind nginx that compresses it', async () => {
    await using nginx = await startNginx(`server {
      listen 127.0.0.1:PORT;
      gzip on; gzip_types text/javascript; gzip_proxied any;
      location / { proxy_http_version 1.1; proxy_pass ${relay.http}; } }`);
    const url = `http://127.0.0.1:${nginx.port}/client.js`;
    const first = await fetch(url, { headers: { 'accept-encoding': 'gzip' } });
    expect(first.headers.get('content-encoding')).toBe('gzip');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\//);
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  it('never changes under the name in Content-Location', async () => {
    const plain = await get('/client.js');
    const location = plain.headers.get('content-location') ?? '';
    expect(location).toMatch(/^\/client-[0-9a-f]{12}\.js$/);
    const hashed = await get(location);
    expect(hashed.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(hashed.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await hashed.text()).toBe(await plain.text());
  });

  it('responds to HEAD as to GET without a body, and to other methods with 405', async () => {
    for (const path of ['/client.js', '/client.js.map', (await get('/client.js')).headers.get('content-location')]) {
      const ask = (method: string) => fetch(`${relay.http}${path}`, { method });
      const [full, head, other] = [await ask('GET'), await ask('HEAD'), await ask('POST')];
      // Clients of HEAD may ask to close the connection.
      const ofConnection = ['date', 'connection', 'keep-alive'];
      const own = ({ headers }: Response) => [...headers].filter(([name]) => !ofConnection.includes(name));
      expect([head.status, own(head)]).toEqual([200, own(full)]);
      expect([await head.text(), Number(head.headers.get('content-length'))]).toEqual([
        '',
        Buffer.byteLength(await full.text()),
      ]);
      await expectProblem(other, 405, 'method_not_allowed');
      expect(other.headers.get('allow')).toBe('GET, HEAD');
    }
  });

  it('has a source map at the address in its header', async () => {
    const { headers } = await get('/client.js');
    const map = await (await get(headers.get('sourcemap') ?? '')).json();
    expect(map.sources).toContainEqual(expect.stringMatching(/client\/heliograph-client\.ts$/));
  });
});

describe('a file that a client reads slowly', () => {
  it.each(ENGINES)('arrives complete, served by %s', async (choice) => {
    const text = Array.from({ length: 3_000_000 }, (_, i) => i).join(' '); // more than any kernel buffers
    const { engine: server } = createEngine(choice, { tls: undefined, maxSockets: 0, refused() {} });
    serveFile(server.app, { path: '/long', type: 'text/plain', body: Buffer.from(text), immutable: false }, () => ({}));
    const port = await server.listen({ host: '127.0.0.1', port: 0, shared: false });
    const [response] = await once(request({ host: '127.0.0.1', port, path: '/long' }).end(), 'response');
    let received = '';
    for await (const chunk of response) {
      received += chunk;
      if (received.length < 2_000_000) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(received.length).toBe(text.length);
    expect(received === text).toBe(true);
    server.stopListening();
    server.close();
  });
});
