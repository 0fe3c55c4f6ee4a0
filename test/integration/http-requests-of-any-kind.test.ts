import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { slowdown } from '../support/slowdown.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

/** Concurrent requests, and rounds: 3,000 requests in total. For a long run, set FUZZ_RUNS=100000. */
const AT_A_TIME = 50;
const numRuns = Math.ceil(Number(process.env.FUZZ_RUNS ?? 3000) / AT_A_TIME);
/** Time after which a connection without a response is abandoned: much longer than a response takes. */
const PATIENCE_MS = 50 * slowdown();

let service: ServiceProcess;
beforeAll(async () => {
  const env = {
    WEBHOOK_TOKENS: WEBHOOK_TOKEN,
    STATS_TOKEN: WEBHOOK_TOKEN,
    LEGACY_WEBHOOK: 'true',
    CONNECTION_RATE: '0',
    DRAIN_WINDOW: '0s',
  };
  service = await startService('standalone', env);
});
afterAll(() => service?.stop('SIGKILL'));

const junk = fc.oneof(
  fc.constantFrom('%', '%00', '%ff', '%2e%2e', '/', '..', '?', '#', '&', '=', '"', "'", '<b>', '\t', '{}', '__proto__'),
  fc.constantFrom('chat', '1e999', '-1', '9007199254740993', '256.256.256.256', 'x'.repeat(3000), ''),
  fc.string({ maxLength: 8, unit: 'binary' }),
);
const text = fc.array(junk, { maxLength: 4 }).map((parts) => parts.join(''));
const paths: Record<string, readonly string[]> = {
  relay: ['/ws', '/update_check', '/events', '/topics/', '/client.js', '/'],
  webhook: [
    '/webhook',
    '/webhook/',
    '/webhook/chat?data=body&',
    '/hooks/x',
    '/update_webhook.cgi',
    '/updates/',
    '/updates/1',
    '/',
  ],
  chat: ['/', '/comments', '/chat.css', '/page.js'],
  admin: ['/metrics', '/livez', '/stats', '/stats/login', '/stats/traces/', '/readyz'],
};
const headers = [
  ...['Host', 'Origin', 'Authorization', 'Content-Type', 'Content-Encoding', 'Content-Length', 'Transfer-Encoding'],
  ...['Connection', 'Upgrade', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Sec-WebSocket-Protocol', 'Expect'],
  ...['If-None-Match', 'Prefer', 'Last-Event-ID', 'webhook-id', 'webhook-timestamp', 'webhook-signature', 'Range'],
  ...[
    'X-Forwarded-For',
    'X-Request-Id',
    'Accept',
    'Cookie',
    'Sec-Fetch-Site',
    'traceparent',
    'ce-specversion',
    'ce-id',
  ],
];
const value = fc.oneof(
  text,
  fc.constantFrom(
    `Bearer ${WEBHOOK_TOKEN}`,
    'application/json',
    'application/x-www-form-urlencoded',
    'chunked',
    '100-continue',
  ),
  fc.constantFrom('keep-alive', 'Upgrade', 'websocket', 'dGhlIHNhbXBsZSBub25jZQ==', '13', 'wait=1', '*', 'text/html'),
);
const body = fc.oneof(
  text,
  fc.constantFrom('{"topic":"chat"}', '{"topics":[]}', 'name=a&text=b', '{"name":{"toString":1},"text":[]}'),
  fc.nat(3000).map((depth) => `{"topic":"chat","data":${'['.repeat(depth)}`),
  fc.constant('5\r\nhello\r\n0\r\n\r\n'),
);
const UPGRADE = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];

/** A request to one of the ports: almost valid or not at all, with frames behind it if it is an upgrade. */
const request = fc
  .record({
    place: fc.constantFrom(...Object.keys(paths)),
    path: fc.nat(5),
    rest: fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 1, arbitrary: text }),
    query: fc.option(
      fc.tuple(
        fc.constantFrom('topic=', 'since=', 'token=', 'after=', 'name=', 'wait=', 'wait=delivered&timeout=1ms&'),
        text,
      ),
    ),
    method: fc.constantFrom('GET', 'GET', 'POST', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'FOO'),
    lines: fc.array(fc.tuple(fc.constantFrom(...headers), value), { maxLength: 6 }),
    isUpgrade: fc.boolean(),
    isMeasured: fc.boolean(),
    body: fc.option(body),
    frames: fc.uint8Array({ maxLength: 60 }),
  })
  .map(({ place, path, rest, query, method, lines, isUpgrade, isMeasured, body, frames }) => {
    const known = paths[place] ?? [];
    const target = `${known[path % known.length]}${rest}${query ? `?${query.join('')}` : ''}`.replace(/[\s]/g, '');
    const all = ['Host: relay', ...lines.map(([name, value]) => `${name}: ${value}`)];
    if (isUpgrade) all.push(...UPGRADE, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==');
    if (body !== null && isMeasured) all.push(`Content-Length: ${Buffer.byteLength(body)}`);
    const head = `${method} ${target} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n${body ?? ''}`;
    return { place, bytes: Buffer.concat([Buffer.from(head), isUpgrade ? frames : Buffer.alloc(0)]) };
  });

/** Sends a request, and resolves with the status of the response; 0 if there was none. */
function send({ place, bytes }: { place: string; bytes: Buffer }): Promise<number> {
  const port = place === 'admin' ? service.adminPort : (service.ports[place] ?? 0);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.once('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1] ?? 0)));
    socket.write(bytes);
  });
}

it(
  'requests of any kind to any port get no status 500, and every service stays alive',
  async () => {
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: AT_A_TIME, maxLength: AT_A_TIME }), async (requests) => {
        for (const status of await Promise.all(requests.map(send))) {
          // 503 is for temporary refusals, 505 is uWebSockets.js' response to other versions of HTTP.
          if (status >= 500) expect([503, 505]).toContain(status);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
        expect((await fetch(`http://127.0.0.1:${service.adminPort}/livez`)).status).toBe(200);
      }),
      { numRuns, endOnFailure: true },
    );
    console.info(`statuses: ${[...statuses].sort().map(([status, count]) => `${status} ${count}`)}`);
    for (const status of [101, 200, 400, 401, 404, 405]) expect(statuses.get(status), `${status}`).toBeGreaterThan(0);
    expect(
      service
        .log()
        .split('\n')
        .filter((line) => /"level":[56]0/.test(line)),
    ).toEqual([]);
    expect(await service.stop()).toBe(0);
  },
  (60_000 + 100 * numRuns) * slowdown(),
);
