import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startNginx } from '../support/nginx.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { WsClient } from '../support/ws-client.ts';

/** Requests whose responses end at once. */
const PATHS = ['/client.js', '/topics/a', '/topics/%20', '/events', '/nothing', '/ws'];

let relay: RelayFixture;
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.stop());

describe('a response of a relay', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  afterEach(() => agent.destroy());

  /** Requests each path, and returns whether any request reused a connection. */
  async function reuses(headers: Record<string, string>, method = 'GET'): Promise<boolean> {
    let hasReused = false;
    for (const path of PATHS) {
      const request = get({ host: '127.0.0.1', port: relay.port, path, headers, method, agent });
      const [response] = await once(request, 'response');
      await once(response.resume(), 'end');
      hasReused ||= request.reusedSocket;
    }
    return hasReused;
  }

  it.each(['X-Forwarded-For', 'Forwarded', 'Via'])('ends its connection if a proxy adds %s', async (name) => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) {
      expect(await reuses({ [name]: '203.0.113.1' }, method), method).toBe(false);
    }
  });

  it('leaves the connection open for a client without a proxy', async () => {
    expect(await reuses({})).toBe(true);
  });
});

it('a proxy with a pool of connections keeps none that the relay is about to close', async () => {
  await using nginx = await startNginx(`
    upstream relay { server 127.0.0.1:${relay.port}; keepalive 8; }
    server {
      listen 127.0.0.1:PORT;
      location / {
        proxy_http_version 1.1; proxy_set_header Connection $http_connection; proxy_set_header Upgrade $http_upgrade;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_pass http://relay;
      } }`);
  using client = await WsClient.open(`ws://127.0.0.1:${nginx.port}/ws?topic=a`);
  await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
  for (const path of PATHS) await (await fetch(`http://127.0.0.1:${nginx.port}${path}`)).arrayBuffer();
  await eventually(async () => expect(await relay.metric('relay_sockets')).toBe(1));
  const version = await relay.publish('a');
  await eventually(() => expect(client.ofType('update')).toMatchObject([{ version }]));
});
