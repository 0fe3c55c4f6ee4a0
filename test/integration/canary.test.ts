import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMAND_LINE } from '../support/command-line.ts';
import { eventually } from '../support/eventually.ts';
import { publishCall } from '../support/publish-call.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { JWT_SECRET, signToken, WEBHOOK_TOKEN } from '../support/tokens.ts';

describe('heliograph canary', () => {
  const received = 'canary_age_seconds_count';
  const late = 'canary_failures_total{reason="delivery"}';
  const unpublished = 'canary_failures_total{reason="publish"}';
  const lastSuccess = 'canary_last_success_timestamp_seconds';
  let services: ServiceProcess;

  beforeAll(async () => {
    services = await startService('standalone', {
      ...{ WEBHOOK_TOKENS: WEBHOOK_TOKEN, SUBSCRIBE_AUTH: 'optional', PRIVATE_TOPICS: 'private/*', JWT_SECRET },
    });
  });
  afterAll(() => services?.stop());

  /** Starts a canary with a probe every 100 ms, and waits until it is alive. */
  function startCanary(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    return startService(
      'canary',
      {
        RELAY_URL: `http://localhost:${services.ports.relay}`,
        WEBHOOK_URL: `http://localhost:${services.ports.webhook}/webhook`,
        WEBHOOK_TOKEN,
        ...env,
      },
      { program: [COMMAND_LINE, 'canary', '--interval', '100ms', ...args], until: 'livez' },
    );
  }

  const isReady = async ({ adminPort }: ServiceProcess) =>
    (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === 200;

  it.each(['websocket', 'sse', 'longpoll'])('exports the age of updates received by %s', async (transport) => {
    await using canary = await startCanary(['--transport', transport, '--topic', `canary/${transport}`]);
    await eventually(async () => expect(await canary.metric(received)).toBeGreaterThan(2), 30_000);
    expect(await isReady(canary)).toBe(true);
    expect(await canary.metric(lastSuccess)).toBeGreaterThan(1.7e9);
    const [sum, count] = [await canary.metric('canary_age_seconds_sum'), await canary.metric(received)];
    expect(sum / count).toBeGreaterThan(0);
    expect(sum / count).toBeLessThan(10);
    expect(await canary.stop()).toBe(0);
  });

  it('counts updates that a relay does not deliver, and recovers when it does', async () => {
    await using proxy = await TcpProxy.start(services.ports.relay ?? 0);
    const args = ['--relay', `http://127.0.0.1:${proxy.port}`, '--timeout', '1s', '--interval', '2s', '--topic', 'cut'];
    await using canary = await startCanary(args);
    await eventually(async () => expect(await canary.metric(received)).toBeGreaterThan(0), 30_000);
    proxy.set('swallows');
    await eventually(async () => expect(await canary.metric(late)).toBeGreaterThan(1), 30_000);
    expect(canary.log()).toContain('the update was not received in time');
    const [seenBefore, successBefore] = [await canary.metric(received), await canary.metric(lastSuccess)];
    proxy.set('passes');
    await eventually(async () => expect(await canary.metric(received)).toBeGreaterThan(seenBefore), 30_000);
    expect(await canary.metric(lastSuccess)).toBeGreaterThan(successBefore);
    expect(await canary.metric(unpublished)).toBe(0);
    // An update between two probes, of another canary for example, changes nothing.
    const webhook = { port: services.ports.webhook ?? 0 };
    const seenAgain = await canary.metric(received);
    await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'cut' });
    await eventually(async () => expect(await canary.metric(received)).toBeGreaterThan(seenAgain + 1), 30_000);
  });

  it('counts updates that the webhook does not take, and is not ready', async () => {
    await using canary = await startCanary(['--token', 'another-token-of-the-tests', '--timeout', '1s']);
    await eventually(async () => expect(await canary.metric(unpublished)).toBeGreaterThan(1), 30_000);
    expect(canary.log()).toContain('the webhook answered 401 unauthorized');
    expect(await canary.metric(received)).toBe(0);
    expect(await isReady(canary)).toBe(false);
  });

  it('subscribes to a private topic with a token, and logs why the relay refuses it', async () => {
    const args = ['--topic', 'private/canary', '--timeout', '1s'];
    const RELAY_TOKEN = await signToken({ topics: ['private/*'] });
    await using canary = await startCanary(args, { RELAY_TOKEN });
    await eventually(async () => expect(await canary.metric(received)).toBeGreaterThan(0), 30_000);
    await using refused = await startCanary(args);
    await eventually(async () => expect(await refused.metric(late)).toBeGreaterThan(0), 30_000);
    expect(refused.log()).toContain('"code":"unauthorized"');
  });

  it('works beside another canary with the same topic', async () => {
    await using one = await startCanary();
    await using other = await startCanary();
    await eventually(async () => expect(await one.metric(received)).toBeGreaterThan(20), 30_000);
    await eventually(async () => expect(await other.metric(received)).toBeGreaterThan(20), 30_000);
    expect([await one.metric(late), await other.metric(late)]).toEqual([0, 0]);
  });
});
