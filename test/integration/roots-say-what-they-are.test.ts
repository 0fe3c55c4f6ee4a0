import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { STATS_TOKEN } from '../support/stats-cluster.ts';

/** What Firefox sends. */
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe.each(['uws', 'node'])('the root of each port, with the engine %s', (RELAY_ENGINE) => {
  let service: ServiceProcess;
  beforeAll(async () => {
    service = await startService('standalone', { RELAY_ENGINE, STATS_TOKEN, DRAIN_WINDOW: '0s' });
  });
  afterAll(() => service?.stop('SIGKILL'));

  const root = (place: string, accept: string) =>
    fetch(`http://127.0.0.1:${place === 'admin' ? service.adminPort : service.ports[place]}/`, { headers: { accept } });

  it.each([
    ['relay', 'relay', '/client.js'],
    ['webhook', 'webhook', '/openapi.json'],
    ['chat', 'chat', '/comments'],
    ['admin', 'admin port', '/stats'],
  ])('says what %s is, with links that lead somewhere', async (place, name, path) => {
    const response = await root(place, 'application/json');
    expect(response.status).toBe(200);
    const description = await response.json();
    expect(description).toMatchObject({ name: 'heliograph', service: name, description: expect.any(String) });
    expect(Object.keys(description.links)).toContain(path);
    for (const href of Object.keys(description.links).filter((href) => !/[{ ]|^\/ws$/.test(href))) {
      const target = await fetch(new URL(href, response.url), { headers: { accept: BROWSER } });
      expect(target.status, href).toBe(200);
    }
  });

  it.each(['relay', 'webhook', 'admin'])('is JSON for curl, and a page for browsers: %s', async (place) => {
    const json = await root(place, '*/*');
    expect(json.headers.get('content-type')).toMatch(/^application\/json/);
    expect(json.headers.get('vary')).toContain('Accept');
    const page = await root(place, BROWSER);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    for (const href of Object.keys((await json.json()).links))
      expect(await (await root(place, BROWSER)).text()).toContain(href);
  });

  it('stays the page of the chat for everything but JSON', async () => {
    for (const accept of ['*/*', BROWSER]) expect(await (await root('chat', accept)).text()).toContain('<h1>');
  });
});
