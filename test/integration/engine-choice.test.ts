import { createRequire } from 'node:module';
import { afterEach, describe, expect, it } from 'vitest';
import { ENGINES } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const WITHOUT_BINARY = createRequire(import.meta.url).resolve('../support/without-native-binary.cjs');
const CANNOT_LOAD = 'uWebSockets.js cannot be loaded; node:http and ws serve clients, at a higher cost';

let service: ServiceProcess | undefined;
afterEach(async () => {
  await service?.stop();
  service = undefined;
});

/** Starts everything, publishes an update, and returns the engine that delivered it. */
async function engineOf(env: Record<string, string>): Promise<{ labels: string; log: string }> {
  service = await startService('standalone', { WEBHOOK_TOKENS: WEBHOOK_TOKEN, ...env });
  const { ports, adminPort, log } = service;
  const client = await WsClient.open(`ws://127.0.0.1:${ports.relay}/ws?topic=chat`);
  await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
  const headers = { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' };
  await fetch(`http://127.0.0.1:${ports.webhook}/webhook`, { method: 'POST', headers, body: '{"topic":"chat"}' });
  await eventually(() => expect(client.ofType('update')).toHaveLength(1));
  client.close();
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const [info = ''] = /^heliograph_build_info\{.*\} 1$/m.exec(metrics) ?? [];
  return { labels: /engine=.*"/.exec(info)?.[0] ?? '', log: log() };
}

describe('npm start', () => {
  it('works where uWebSockets.js has no binary, and says so', async () => {
    const { labels, log } = await engineOf({ RELAY_ENGINE: 'auto', NODE_OPTIONS: `--require ${WITHOUT_BINARY}` });
    expect(labels).toBe('engine="node",engine_reason="no_binary"');
    expect(log).toContain(CANNOT_LOAD);
    expect(log).toContain('This version of uWS.js supports only other machines');
  });

  it.each(ENGINES)('runs on the engine %s that RELAY_ENGINE names', async (engine) => {
    const { labels, log } = await engineOf({ RELAY_ENGINE: engine });
    expect(labels).toBe(`engine="${engine}",engine_reason="configured"`);
    expect(log).not.toContain(CANNOT_LOAD);
  });

  it('prefers uWebSockets.js, and warns of the old one on Node 20', async () => {
    const { labels, log } = await engineOf({ RELAY_ENGINE: 'auto' });
    const reason = ENGINES.includes('uws') ? 'default' : 'no_binary';
    expect(labels).toBe(`engine="${ENGINES[0]}",engine_reason="${reason}"`);
    expect(log.includes('refuses requests whose first line arrives in several segments')).toBe(
      process.versions.modules === '115',
    );
  });
});
