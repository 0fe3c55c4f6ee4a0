import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

const BEARER = { authorization: `Bearer ${WEBHOOK_TOKEN}` };
const HTML = { accept: 'text/html' };

type Place = 'relay' | 'webhook' | 'chat' | 'admin';

/** A path of each kind that GET answers, and of each that it refuses. */
const PATHS: readonly [place: Place, path: string, headers?: Record<string, string>][] = [
  ['relay', '/client.js'],
  ['relay', '/client.js', { 'if-none-match': '*' }],
  ['relay', '/client.js.map'],
  ['relay', '/heliograph-client.tgz'],
  ['relay', '/openapi.json'],
  ['relay', '/relay/openapi.json'],
  ['relay', '/asyncapi.json'],
  ['relay', '/openapi.json', { 'if-none-match': '*' }],
  ['relay', '/topics/chat'],
  ['relay', '/topics/chat', { 'if-none-match': '*' }],
  ['relay', '/topics/?topic=chat', { origin: 'https://example.org' }],
  ['relay', '/topics/'],
  ['relay', '/topics/chat?token=wrong'],
  ['relay', '/events?topic=chat'],
  ['relay', '/events?topic=chat', { 'x-forwarded-for': '203.0.113.1' }],
  ['relay', '/events'],
  ['relay', '/ws'],
  ['relay', '/update_check'],
  ['relay', '/'],
  ['relay', '/', { ...HTML, origin: 'https://example.org' }],
  ['webhook', '/'],
  ['webhook', '/', HTML],
  ['webhook', '/webhook'],
  ['webhook', '/webhook/chat'],
  ['webhook', '/openapi.json'],
  ['webhook', '/webhook/openapi.json'],
  ['webhook', '/openapi.json', { 'if-none-match': '*' }],
  ['webhook', '/updates/1?topic=chat', BEARER],
  ['webhook', '/updates/1?topic=chat'],
  ['chat', '/'],
  ['chat', '/', { accept: 'application/json' }],
  ['chat', '/comments'],
  ['chat', '/comments', HTML],
  ['chat', '/chat.css'],
  ['chat', '/chat.css', { 'if-none-match': '*' }],
  ['chat', '/icon.svg'],
  ['chat', '/none'],
  ['admin', '/livez'],
  ['admin', '/readyz'],
  ['admin', '/stats'],
  ['admin', '/stats', HTML],
  ['admin', '/stats', BEARER],
  ['admin', '/stats', { ...BEARER, ...HTML }],
  ['admin', '/stats/login'],
  ['admin', '/stats/logout'],
  ['admin', '/stats/stats.css'],
  ['admin', '/stats/stats.js'],
  ['admin', '/stats/icon.svg'],
  ['admin', '/stats/traces/0af7651916cd43dd8448eb211c80319c', BEARER],
  ['admin', '/'],
  ['admin', '/', HTML],
];

describe.each(['uws', 'node'])('with the engine %s, HEAD', (RELAY_ENGINE) => {
  let service: ServiceProcess;
  beforeAll(async () => {
    const env = { RELAY_ENGINE, WEBHOOK_TOKENS: WEBHOOK_TOKEN, STATS_TOKEN: WEBHOOK_TOKEN, DRAIN_WINDOW: '0s' };
    service = await startService('standalone', {
      ...env,
      SUBSCRIBE_AUTH: 'optional',
      JWT_SECRET: WEBHOOK_TOKEN.repeat(2),
    });
  });
  afterAll(() => service?.stop('SIGKILL'));

  /** Returns the status and headers, without those that differ from response to response; and the bytes of the body. */
  async function ask(method: string, [place, path, headers = {}]: (typeof PATHS)[number]) {
    const port = place === 'admin' ? service.adminPort : service.ports[place];
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const isStream = response.headers['content-type'] === 'text/event-stream';
    let bodyBytes = 0;
    for await (const chunk of response) {
      bodyBytes += chunk.length;
      if (isStream) break;
    }
    const { date: _, 'x-request-id': __, 'transfer-encoding': ___, ...stable } = response.headers;
    // A topic without an update has the time as its version.
    if (/^"[0-9]{16}"$/.test(stable.etag ?? '')) stable.etag = '"<version>"';
    // The dashboard shows the uptime.
    if (path === '/stats' && stable['content-length']) stable['content-length'] = '<length>';
    return { status: response.statusCode, headers: stable as IncomingHttpHeaders, bodyBytes };
  }

  it.each(PATHS)('has the status and headers of GET, and no body: %s %s %j', async (...path) => {
    const [get, head] = [await ask('GET', path), await ask('HEAD', path)];
    expect(head).toEqual({ ...get, bodyBytes: 0 });
  });

  it('has the status and type of GET at /metrics, whose text grows', async () => {
    const [get, head] = [await ask('GET', ['admin', '/metrics']), await ask('HEAD', ['admin', '/metrics'])];
    const length = expect.stringMatching(/^[0-9]+$/);
    expect(head).toEqual({ ...get, headers: { ...get.headers, 'content-length': length }, bodyBytes: 0 });
  });

  it('leaves no connection behind', async () => {
    for (const path of PATHS) await ask('HEAD', path);
    expect(await service.metric('relay_connections')).toBe(0);
  });
});
