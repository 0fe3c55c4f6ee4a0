import { execFile } from 'node:child_process';
import { Agent, get } from 'node:http';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findProgram } from '../support/find-program.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

const run = promisify(execFile);

let relay: RelayFixture;
beforeEach(async () => {
  relay = await startRelay({ env: { CONNECTION_RATE: '0' } });
});
afterEach(() => relay.stop());

describe('behind a caching proxy', () => {
  const WAITERS = 500;
  let nginx: Nginx;
  const agent = new Agent({ maxSockets: WAITERS });

  beforeEach(async () => {
    nginx = await startNginx(`
      proxy_cache_path DIR/cache keys_zone=topics:1m;
      server {
        listen 127.0.0.1:PORT backlog=1024;
        location /topics/ {
          proxy_pass ${relay.http};
          proxy_http_version 1.1; # uWebSockets.js speaks nothing older
          proxy_set_header Connection "";
          proxy_cache topics;
          # Clients that have the same version wait for the same response. Not by $uri: it merges slashes and lacks the query.
          proxy_cache_key $request_uri$http_if_none_match$http_prefer;
          proxy_set_header If-None-Match $http_if_none_match;
          proxy_set_header Prefer $http_prefer;
          proxy_cache_lock on;
          proxy_cache_lock_timeout 30s;
          proxy_cache_lock_age 30s;
          proxy_read_timeout 60s;
        }
      }`);
  });
  afterEach(() => nginx.stop());

  it('500 waiting requests reach the relay as a few, and all get the same bytes', async () => {
    const version = await relay.publish('page', { data: 1 });
    const before = await relay.metric('relay_connections_opened_total');
    const answers = Array.from(
      { length: WAITERS },
      () =>
        new Promise<string>((resolve, reject) => {
          const headers = { 'if-none-match': `"${version}"`, prefer: 'wait=25' };
          get({ host: '127.0.0.1', port: nginx.port, path: '/topics/page', headers, agent }, async (response) => {
            let body = '';
            for await (const chunk of response) body += chunk;
            resolve(`${response.statusCode} ${body}`);
          }).on('error', reject);
        }),
    );
    await eventually(async () => expect(await relay.metric('relay_connections_opened_total')).toBeGreaterThan(before));
    const next = await relay.publish('page', { data: 2 });
    const bodies = new Set(await Promise.all(answers));
    const requests = (await relay.metric('relay_connections_opened_total')) - before;
    console.info(`${WAITERS} waiting requests reached the relay as ${requests}`);
    expect([...bodies]).toEqual([`200 ${JSON.stringify({ topic: 'page', version: next, data: 2 })}`]);
    expect(requests).toBeLessThanOrEqual(10);
  });
});

describe('curl', () => {
  const curl = async (...args: string[]) =>
    (await run(findProgram('curl', 'curl'), ['-sS', '--max-time', '10', ...args])).stdout;

  it('gets a register, revalidates it, and waits for a newer version', async () => {
    const version = await relay.publish('chat/1', { data: { n: 1 } });
    const url = `${relay.http}/topics/chat/1`;
    const answer = await curl('-i', url);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    expect(answer.toLowerCase()).toContain(`etag: "${version}"`);
    expect(answer.toLowerCase()).toContain('cache-control: public, max-age=0, s-maxage=1');
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({ topic: 'chat/1', version, data: { n: 1 } });
    const same = await curl('-i', '-H', `If-None-Match: "${version}"`, url);
    expect(same).toMatch(/^HTTP\/1.1 304 Not Modified/);
    const changed = curl('-H', `If-None-Match: "${version}"`, '-H', 'Prefer: wait=5', url);
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(1));
    const next = await relay.publish('chat/1');
    expect(JSON.parse(await changed)).toEqual({ topic: 'chat/1', version: next });
  });

  it('gets 304 if nothing changed when its wait ends', async () => {
    const version = await relay.publish('quiet');
    const begunAt = performance.now();
    const answer = await curl(
      '-i',
      '-H',
      `If-None-Match: "${version}"`,
      '-H',
      'Prefer: wait=1',
      `${relay.http}/topics/quiet`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 304 /);
    expect(performance.now() - begunAt).toBeGreaterThan(900);
  });

  it('-N shows events as they arrive', async () => {
    const stream = curl('-N', '--max-time', '2', `${relay.http}/events?topic=chat`).catch((error) =>
      String(error.stdout),
    );
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(1));
    await eventually(() => expect(relay.relay.hub.isFresh('chat' as never)).toBe(true));
    const version = await relay.publish('chat', { data: 'x' });
    const text = await stream;
    expect(text).toMatch(/^retry: \d+\n\nid: \d+\nevent: subscribed\ndata: \{/);
    expect(text).toContain(
      `id: ${version}\nevent: update\ndata: {"type":"update","topic":"chat","version":${version},"data":"x"}\n\n`,
    );
  });
});
