import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import WebSocket from 'ws';
import { Heliograph } from '../../services/client/heliograph-client.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { docker } from './docker-engine.ts';

const lab = inject('docker');
const UP_MS = 180_000;
const CLIENTS = 50;
const TOKEN = 'local-only-token'; // as deploy/compose.yaml has it
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What `docker compose ps` says of a container. */
interface Container {
  readonly Name: string;
  readonly Service: string;
  readonly State: string;
  readonly Health: string;
}

describe.skipIf(lab.unavailable)('deploy/compose.yaml', () => {
  const project = `heliograph-test-${randomUUID().slice(0, 8)}`;
  const files = ['../../deploy/compose.yaml', './compose.tests.yaml'].flatMap((path) => ['--file', file(path)]);
  const compose = (...args: string[]) => docker(lab, ['compose', '--project-name', project, ...files, ...args]);
  const containers = async (): Promise<Container[]> =>
    (await compose('ps', '--all', '--format', 'json'))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const clients: Heliograph[] = [];
  /** The newest version that each client was notified of. */
  const versions: number[] = [];
  let proxy = '';
  let prometheus = '';

  async function publish(): Promise<number> {
    const response = await fetch(`${proxy}/webhook`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ topic: 'compose' }),
    });
    if (!response.ok) throw new Error(`the webhook answered ${response.status}: ${await response.text()}`);
    const { updates } = (await response.json()) as { updates: { version: number }[] };
    return updates[0]?.version ?? Number.NaN;
  }

  const expectAllNotified = (version: number) =>
    eventually(() => expect(versions.filter((seen) => seen >= version)).toHaveLength(CLIENTS), 30_000);

  beforeAll(async () => {
    const [proxyPort, prometheusPort, grafanaPort, chatPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    Object.assign(process.env, {
      PROXY_PORT: proxyPort,
      PROMETHEUS_PORT: prometheusPort,
      GRAFANA_PORT: grafanaPort,
      CHAT_ADMIN_PORT: chatPort,
    });
    proxy = `http://127.0.0.1:${proxyPort}`;
    prometheus = `http://127.0.0.1:${prometheusPort}`;
    const { missingServices } = lab.images;
    const scale = missingServices.flatMap((name) => ['--scale', `${name}=0`]);
    await compose('up', '--detach', '--wait', '--no-build', '--pull', 'never', ...scale);
    for (let i = 0; i < CLIENTS; i++) {
      versions.push(0);
      const client = new Heliograph(proxy, { topics: ['compose'], transports: ['websocket'], WebSocket });
      client.on('update', ({ version }) => {
        versions[i] = Math.max(versions[i] ?? 0, version);
      });
      clients.push(client);
    }
  }, UP_MS);

  afterAll(async () => {
    for (const client of clients) client.close();
    await compose('down', '--volumes', '--timeout', '5');
    const label = `label=com.docker.compose.project=${project}`;
    expect(await docker(lab, ['ps', '--all', '--quiet', '--filter', label])).toBe('');
    expect(await docker(lab, ['volume', 'ls', '--quiet', '--filter', label])).toBe('');
  }, UP_MS);

  it('brings up every service, healthy', async () => {
    const all = await containers();
    const counts = Object.fromEntries(
      ['webhook', 'relay', 'chat', 'redis', 'proxy', 'prometheus'].map((name) => [
        name,
        all.filter(
          ({ Service, State, Health }) => Service === name && State === 'running' && ['', 'healthy'].includes(Health),
        ).length,
      ]),
    );
    expect(counts).toEqual({ webhook: 2, relay: 3, chat: 1, redis: 1, proxy: 1, prometheus: 1 });
  });

  it('carries an update through the proxy to the clients of all relays', async () => {
    await eventually(() => expect(clients.filter(({ status }) => status === 'live')).toHaveLength(CLIENTS), 30_000);
    const relays = (await containers()).filter(({ Service }) => Service === 'relay');
    const script =
      'fetch(\'http://localhost:9101/metrics\').then((r) => r.text()).then((t) => console.log(/^relay_connections\\{[^}]*transport="websocket"[^}]*\\} (\\d+)/m.exec(t)[1]))';
    const held = await Promise.all(relays.map(({ Name }) => docker(lab, ['exec', Name, 'node', '-e', script])));
    expect(held.map(Number).reduce((sum, count) => sum + count)).toBe(CLIENTS);
    expect(held.filter((count) => count === '0')).toEqual([]);
    await expectAllNotified(await publish());
  }, 60_000);

  it('serves the chat and the client library by the same proxy', async () => {
    const page = await fetch(proxy);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<html')]);
    expect((await fetch(`${proxy}/client.js`)).headers.get('content-type')).toMatch(/^text\/javascript/);
  });

  it("has all of Prometheus' targets up", async () => {
    await eventually(async () => {
      const response = await fetch(`${prometheus}/api/v1/targets?state=active`);
      const { data } = (await response.json()) as { data: { activeTargets: { health: string; lastError: string }[] } };
      expect(data.activeTargets.map(({ health, lastError }) => `${health}${lastError}`)).toEqual(Array(6).fill('up'));
    }, 60_000);
  }, 70_000);

  it('loses no update while a relay restarts', async () => {
    const [relay] = (await containers()).filter(({ Service }) => Service === 'relay');
    const restarted = docker(lab, ['restart', '--time', '60', relay?.Name ?? '']);
    let isRestarted = false;
    void restarted.finally(() => {
      isRestarted = true;
    });
    let last = 0;
    let calls = 0;
    do {
      last = await publish();
      calls += 1;
    } while (!isRestarted);
    await restarted;
    expect(calls).toBeGreaterThan(5);
    await expectAllNotified(last);
  }, 120_000);
});
