import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { runShell } from '../support/run-shell.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { WsClient } from '../support/ws-client.ts';

let service: ServiceProcess | undefined;

afterEach(async () => {
  await service?.stop();
  service = undefined;
});

async function start(env: Record<string, string> = {}): Promise<ServiceProcess> {
  service = await startService('standalone', env);
  return service;
}

function post(port: number): Promise<Response> {
  return fetch(`http://localhost:${port}/comments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"Ada","text":"Hello"}',
  });
}

describe('npm start', () => {
  it('prints all addresses and a command that publishes, which reaches a client', async () => {
    const { log } = await start();
    await eventually(() => expect(log()).toContain('curl'));
    const text = log();
    const [, relayUrl = ''] = /relay +(ws:\S+)/.exec(text) ?? [];
    const [, chatUrl = ''] = /chat +(http:\S+)/.exec(text) ?? [];
    const [command = ''] = /curl .*/.exec(text) ?? [];
    expect((await fetch(chatUrl)).status).toBe(200);
    const client = await WsClient.open(relayUrl);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    expect(JSON.parse(await runShell(command))).toMatchObject({ updates: [{ topic: 'chat' }] });
    await eventually(() => expect(client.ofType('update')).toHaveLength(1));
    client.close();
  });

  it('names the addresses of call statistics and of the page for developers, and a token of its own but never yours', async () => {
    const { log, stop } = await start();
    const pages = /stats +(http:\S+)\/stats +call statistics; log in with ([\w-]{24})\n +(http:\S+)/;
    await eventually(() => expect(log()).toMatch(pages));
    const [, admin = '', printed = '', developers = ''] = pages.exec(log()) ?? [];
    expect(developers).toBe(`${admin}/stats/developers`);
    const headers = { authorization: `Bearer ${printed}` };
    for (const page of [`${admin}/stats`, developers]) expect((await fetch(page, { headers })).status).toBe(200);
    await stop();
    const token = 'a-token-for-statistics';
    const { log: logWithToken } = await start({ STATS_TOKEN: token });
    await eventually(() => expect(logWithToken()).toContain('log in with STATS_TOKEN'));
    const [, url = ''] = /stats +(http:\S+)/.exec(logWithToken()) ?? [];
    expect((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    expect(logWithToken()).not.toContain(token);
  });

  it('says that Redis cannot be used, and why, instead of that it runs on it', async () => {
    const port = await freePort();
    service = await startService('standalone', { REDIS_URL: `redis://127.0.0.1:${port}` }, { until: 'livez' });
    const { log } = service;
    await eventually(() => expect(log()).toContain('curl'));
    expect(log()).toContain(`cannot use Redis: connect ECONNREFUSED 127.0.0.1:${port}.`);
    expect(log()).not.toContain('is running on Redis');
  });

  it('says that it runs on Redis, whose cluster has its own token of call statistics, or none', async () => {
    const { log } = await start({ REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix() });
    await eventually(() => expect(log()).toContain('Heliograph is running on Redis.'));
    expect(log()).toContain('call statistics, if STATS_TOKEN is set');
  });

  it.each([
    ['nothing', {}],
    ['tokens', { WEBHOOK_TOKENS: 'the-first-token-here' }],
    ['secrets', { WEBHOOK_SECRETS: `${WEBHOOK_SECRET}@news` }],
    ['only a secret of the chat', { WEBHOOK_SECRET }],
    ['only a token of the chat', { WEBHOOK_TOKEN: 'the-second-token-here' }],
    [
      'tokens, and another one of the chat',
      { WEBHOOK_TOKENS: 'the-first-token-here', WEBHOOK_TOKEN: 'the-second-token-here' },
    ],
    ['a secret of the chat', { WEBHOOK_SECRETS: WEBHOOK_SECRET, WEBHOOK_SECRET }],
    [
      'a token of the chat',
      { WEBHOOK_TOKENS: 'the-first-token-here,the-second-token-here', WEBHOOK_TOKEN: 'the-second-token-here' },
    ],
    ['another topic and an address of its own', { CHAT_TOPIC: 'chat/lobby', WEBHOOK_HOST: '127.0.0.1' }],
  ])('lets its chat publish if the environment has %s', async (_, env) => {
    const { port } = await start(env);
    expect(await (await post(port)).json()).toMatchObject({ published: true });
  });

  it('prints no token that it has not made up', async () => {
    const { log } = await start({ WEBHOOK_TOKENS: 'the-first-token-here', WEBHOOK_TOKEN: 'the-second-token-here' });
    await eventually(() => expect(log()).toContain("curl -X POST -H 'Authorization: Bearer <one of WEBHOOK_TOKENS>'"));
    expect(log()).not.toMatch(/the-(first|second)-token/);
  });

  it('finds all ports that it cannot use in one start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const env = {
      ...{ WEBHOOK_HOST: '127.0.0.1', WEBHOOK_PORT: String(port), RELAY_HOST: '192.0.2.1', RELAY_PORT: '8080' },
      ...{ CHAT_HOST: '127.0.0.1', CHAT_PORT: String(port), ADMIN_HOST: '127.0.0.1' },
    };
    const message = await startService('standalone', env).then(() => '', String);
    taken.close();
    expect(message).toContain(`CHAT_PORT: port ${port} is that of WEBHOOK_PORT: choose another port`);
    expect(message).toContain(`WEBHOOK_PORT: port ${port} of 127.0.0.1 is in use by another process`);
    expect(message).toContain(
      'RELAY_HOST: port 8080 of 192.0.2.1 cannot be used: it is not an address of this machine',
    );
    expect(message).not.toContain('ADMIN_PORT');
  });

  it('says which of its own ports are the same', async () => {
    const port = String(await freePort());
    const message = await startService('standalone', { RELAY_PORT: port, CHAT_PORT: port }).then(() => '', String);
    expect(message).toContain(`CHAT_PORT: port ${port} is that of RELAY_PORT: choose another port`);
  });
});
