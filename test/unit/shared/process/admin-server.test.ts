import { Gauge } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../../services/shared/logger.ts';
import { readPackageVersion } from '../../../../services/shared/package-version.ts';
import { type AdminServer, createAdminServer, serveMetrics } from '../../../../services/shared/process/admin-server.ts';
import { Health } from '../../../../services/shared/process/health.ts';
import { createMetricsRegistry, type MetricsRegistry } from '../../../../services/shared/process/metrics-registry.ts';
import { eventually } from '../../../support/eventually.ts';

let health: Health;
let registry: MetricsRegistry;
let server: AdminServer;
let url: string;

beforeEach(async () => {
  health = new Health();
  registry = createMetricsRegistry({ service: 'test' });
  const logger = createLogger({ name: 'test', level: 'silent' });
  server = createAdminServer({ name: 'tests', host: '127.0.0.1', port: 0, registry, health, logger });
  url = `http://127.0.0.1:${await server.start()}`;
});
afterEach(() => server.stop());

describe('the admin server', () => {
  it('serves a mounted path exactly, and everything below one that ends in a slash', async () => {
    server.mount('/one', (_request, response) => void response.end('one'));
    server.mount('/all/', (request, response) => void response.end(request.url));
    const get = async (path: string) => {
      const response = await fetch(url + path);
      return response.ok ? response.text() : response.status;
    };
    expect(await Promise.all(['/one?x', '/one/x', '/all', '/all?x', '/all/x', '/allx'].map(get))).toEqual([
      'one',
      404,
      '/all',
      '/all?x',
      '/all/x',
      404,
    ]);
  });

  it('says at its root what it serves: in JSON for programs, and as a page for browsers', async () => {
    server.mount('/stats/', (_request, response) => void response.end('statistics'), 'Call statistics.');
    server.mount('/hidden', (_request, response) => void response.end('hidden'));
    const json = await fetch(url);
    expect(json.headers.get('content-type')).toBe('application/json');
    expect(await json.json()).toMatchObject({
      name: 'heliograph',
      service: 'tests, admin port',
      version: readPackageVersion(),
    });
    const { links } = await (await fetch(url)).json();
    expect(Object.keys(links)).toEqual(['/metrics', '/livez', '/readyz', '/stats']);
    const page = await fetch(url, { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('vary')).toBe('Accept');
    const html = await page.text();
    for (const href of Object.keys(links)) expect(html).toContain(`<a href="${href}">`);
    expect(html).not.toContain('/hidden');
  });

  it('replaces a handler by the one that is mounted later', async () => {
    server.mount(
      '/metrics',
      serveMetrics(async () => 'metrics of other processes'),
    );
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('metrics of other processes');
  });

  it('serves the metrics in the format of Prometheus', async () => {
    const response = await fetch(`${url}/metrics?x`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('heliograph_build_info{service="test"');
  });

  it('is ready only once all conditions are met, and alive all the time', async () => {
    const fresh = health.require('fresh');
    const before = await fetch(`${url}/readyz`);
    expect(before.status).toBe(503);
    expect(await before.json()).toEqual({ ready: false, draining: false, conditions: { fresh: false } });
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    fresh();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    health.drain();
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it('responds to HEAD without a body', async () => {
    const response = await fetch(`${url}/livez`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it.each([
    ['GET', '/metrics/', 404, 'not_found'],
    ['GET', '/__proto__', 404, 'not_found'],
    ['POST', '/metrics', 405, 'method_not_allowed'],
    ['POST', '/', 405, 'method_not_allowed'],
  ])('responds to %s %s with %i %s', async (method, path, status, code) => {
    const response = await fetch(url + path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('allow')).toBe(status === 405 ? 'GET, HEAD' : null);
    expect(await response.json()).toMatchObject({ type: `urn:heliograph:error:${code}`, status, code });
  });

  it('does not reveal why a metric cannot be collected', async () => {
    new Gauge({
      name: 'broken',
      help: 'x',
      registers: [registry],
      collect() {
        throw new Error('hunter2');
      },
    });
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'internal_error' });
    expect(text).not.toContain('hunter2');
  });

  it('renders metrics at most once a second in the long run, and shares the text with all other scrapes', async () => {
    let nowMs = 0;
    let rendered = 0;
    const render = async () => {
      rendered += 1;
      return String(rendered);
    };
    server.mount(
      '/shared',
      serveMetrics(render, () => nowMs),
    );
    const scrape = async () => (await fetch(`${url}/shared`)).text();
    for (let i = 0; i < 100; i += 1) await scrape();
    expect(rendered).toBe(10);
    expect(await scrape()).toBe('10');
    nowMs += 1000;
    expect([await scrape(), await scrape()]).toEqual(['11', '11']);
  });

  it('renders once for scrapes that arrive meanwhile, and again after a failure', async () => {
    let fail: (error: Error) => void = () => {};
    let rendered = 0;
    const render = () => {
      rendered += 1;
      return rendered > 1
        ? Promise.resolve('good')
        : new Promise<string>((_, reject) => {
            fail = reject;
          });
    };
    let arrived = 0;
    const serve = serveMetrics(render);
    server.mount('/shared', (request, response) => {
      arrived += 1;
      return serve(request, response);
    });
    const scrapes = Array.from({ length: 5 }, async () => (await fetch(`${url}/shared`)).status);
    await eventually(() => expect([arrived, rendered]).toEqual([5, 1]));
    fail(new Error('failed'));
    await Promise.all(scrapes);
    expect(await (await fetch(`${url}/shared`)).text()).toBe('good');
    expect(rendered).toBe(2);
  });
});
