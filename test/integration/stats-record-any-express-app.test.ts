import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { trace } from '@opentelemetry/api';
import express from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpServer, type HttpServer } from '../../services/shared/http/http-server.ts';
import { record } from '../../services/shared/trace/record.ts';
import type { ServiceStats } from '../../services/shared/trace/service-stats.ts';
import { eventually } from '../support/eventually.ts';
import { startStats } from '../support/stats-fixture.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

let running: Awaited<ReturnType<typeof startStats>>;
let stats: ServiceStats;
let trusting: ServiceStats;
let server: HttpServer;
let url: string;
/** Calls that the remote server received, with their header. */
let called: { path: string; traceparent: string | undefined }[];
let remote: ReturnType<typeof createServer>;
let remoteUrl: string;

beforeEach(async () => {
  running = await startStats({ STATS_TOKEN: 'a-token-of-the-tests', STATS_SAMPLE_RATE: '1' });
  stats = running.stats.service('shop', { followsCalls: true });
  trusting = running.stats.service('office', { trustsCallers: true });
  called = [];
  remote = createServer((request, response) => {
    called.push({ path: request.url ?? '', traceparent: request.headers.traceparent as string | undefined });
    response.statusCode = request.url === '/fails' ? 500 : 200;
    response.end('ok');
  });
  await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve));
  remoteUrl = `http://127.0.0.1:${(remote.address() as AddressInfo).port}`;
  const app = express();
  app.use('/office', trusting.recordRequests);
  app.get('/office/hello', (_request, response) => void response.send('hello'));
  app.use(stats.recordRequests);
  app.get('/quiet', (_request, response) => void response.send('quiet'));
  app.get('/items/:id', async (request, response) => {
    await record(stats.tracer, 'query', { attributes: { sql: 'SELECT 1' } }, async () => {});
    const answer = await (await fetch(`${remoteUrl}${request.query.path ?? '/prices?secret=1'}`)).text();
    response.send(answer);
  });
  app.get('/own', async (_request, response) => {
    await fetch(remoteUrl, { headers: { traceparent: 'its own' } });
    response.send('ok');
  });
  app.get('/unreachable', async (_request, response) => {
    await fetch('http://127.0.0.1:2').catch(() => {});
    response.send('ok');
  });
  const orders = express.Router().get('/orders/:id', () => {
    throw new Error('a mistake');
  });
  app.use('/shops/:shop', orders);
  app.get('/fails', () => {
    throw new Error('a mistake with <details>');
  });
  app.use((_e: unknown, _q: express.Request, response: express.Response, _n: express.NextFunction) => {
    response.status(500).send('sorry');
  });
  server = createHttpServer({ handler: app, host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${await server.start()}`;
});
afterEach(async () => {
  remote.closeAllConnections();
  remote.close();
  await server.stop();
  await running.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: JSON of the pages
async function lastTrace(name: string): Promise<any> {
  return eventually(async () => {
    const { traces } = await (await running.get('/stats?sort=newest&limit=200')).json();
    const found = traces.find((summary: { name: string }) => summary.name === name);
    if (!found) throw new Error(`${name} is missing: ${traces.map((t: { name: string }) => t.name)}`);
    return (await running.get(`/stats/traces/${found.id}`)).json();
  });
}

describe('any Express app', () => {
  it('is recorded by one line: each request by its route, with its fetch calls', async () => {
    await fetch(`${url}/items/7?token=secret`);
    const timeline = await lastTrace('GET /items/:id');
    expect(timeline).toMatchObject({ service: 'shop', path: '/items/7', error: '' });
    const [lane] = timeline.lanes;
    expect(lane.rows.map(({ name, depth, kind }: Record<string, unknown>) => [name, depth, kind])).toEqual([
      ['GET /items/:id', 0, 'server'],
      ['query', 1, 'internal'],
      [`GET ${new URL(remoteUrl).host}`, 1, 'client'],
    ]);
    expect(lane.rows[2].attributes).toMatchObject({
      'url.full': `${remoteUrl}/prices`,
      'http.response.status_code': 200,
    });
    expect(JSON.stringify(timeline)).not.toContain('secret');
    expect(called).toEqual([{ path: '/prices?secret=1', traceparent: `00-${timeline.id}-${lane.rows[2].id}-01` }]);
  });

  it('is recorded also if a call fails, or cannot connect', async () => {
    await fetch(`${url}/items/7?path=/fails`);
    const failed = await lastTrace('GET /items/:id');
    expect(failed.lanes[0].rows.map(({ error }: { error: string }) => error)).toEqual(['', '', '500']);
    await fetch(`${url}/unreachable`);
    const unreachable = await lastTrace('GET /unreachable');
    expect(unreachable.lanes[0].rows[1]).toMatchObject({ name: 'GET 127.0.0.1:2', error: 'ECONNREFUSED' });
  });

  it('is recorded with its own failures, without their messages', async () => {
    await fetch(`${url}/fails`);
    const timeline = await lastTrace('GET /fails');
    expect(timeline).toMatchObject({ error: '500' });
    expect(JSON.stringify(timeline)).not.toContain('mistake');
  });

  it('is recorded by the pattern of nested routers, also if a handler fails', async () => {
    await fetch(`${url}/shops/7/orders/8`);
    expect(await lastTrace('GET /shops/:shop/orders/:id')).toMatchObject({ path: '/shops/7/orders/8', error: '500' });
  });

  it('counts requests without a route under one name, since clients can invent paths', async () => {
    for (let n = 0; n < 30; n += 1) await fetch(`${url}/${n}.php`);
    await lastTrace('GET (no route)');
    await eventually(async () => {
      const { requests } = await (await running.get('/stats')).json();
      const counted = requests.map(({ name, count }: Record<string, unknown>) => [name, count]);
      expect(counted).toContainEqual(['GET (no route)', 30]);
    });
  });

  it('starts its own traces, unless it trusts its callers', async () => {
    const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
    await fetch(`${url}/quiet`, { headers });
    expect((await lastTrace('GET /quiet')).id).not.toBe(TRACE);
    await fetch(`${url}/office/hello`, { headers });
    expect((await lastTrace('GET /office/hello')).id).toBe(TRACE);
  });

  it('leaves alone a call with its own traceparent, and calls outside of a request', async () => {
    await fetch(`${url}/own`);
    await fetch(`${remoteUrl}/outside-of-a-request`);
    expect(called.map(({ traceparent }) => traceparent)).toEqual(['its own', undefined]);
    expect(trace.getActiveSpan()).toBeUndefined();
  });
});

describe('a webhook with statistics', () => {
  it('continues the trace of a caller only after it has verified the caller', async () => {
    const webhook = await startWebhook({ stats: running.stats.service('webhook', { trustsCallers: 'verified' }) });
    const call = (authorization: string, traceId: string) =>
      fetch(`${webhook.url}/webhook`, {
        method: 'POST',
        headers: {
          authorization,
          'content-type': 'application/json',
          traceparent: `00-${traceId}-b7ad6b7169203331-01`,
        },
        body: '{"topic":"chat"}',
      });
    const stranger = TRACE.replace(/^0a/, 'ff');
    expect((await call('Bearer wrong', stranger)).status).toBe(401);
    expect((await call(`Bearer ${WEBHOOK_TOKEN}`, TRACE)).status).toBe(200);
    const timeline = await eventually(async () => {
      const response = await running.get(`/stats/traces/${TRACE}?format=json`);
      expect(response.status).toBe(200);
      return response.text();
    });
    expect(timeline).toContain('"POST /webhook"');
    expect(timeline).toContain('"verify"');
    expect((await running.get(`/stats/traces/${stranger}?format=json`)).status).toBe(404);
    await webhook.stop();
  });
});
