import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { Driver, type DriverReport } from './driver.ts';
import { NAMESPACE } from './global-setup.ts';
import { kubectl } from './kubectl.ts';

const CLIENTS = 400;
const EVENT_MS = 300_000;

const inNamespace = (...args: string[]) => kubectl(['-n', NAMESPACE, ...args]);
const rolledOut = (name: string) => inNamespace('rollout', 'status', `deployment/${name}`, '--timeout=4m');
const podsOf = async (component: string) =>
  (await inNamespace('get', 'pods', '-l', `app.kubernetes.io/component=${component}`, '-o', 'name')).split('\n');

describe('400 clients of all transports on the local overlay', () => {
  let driver: Driver;
  let nodes: string[] = [];
  const rows: string[] = [];

  /** Runs an event, and waits until all clients are current again. Returns the figures of the time between. */
  async function during(name: string, event: () => Promise<unknown>): Promise<DriverReport> {
    await driver.reset();
    await event();
    const report = await driver.untilCurrent(CLIENTS);
    const { library, websocket, sse } = report.moves;
    const perClient = ((library + websocket + sse) / (0.75 * CLIENTS)).toFixed(2);
    rows.push(
      `| ${name} | ${report.behind.length} | ${report.failedCalls} of ${report.calls} | ${perClient} | ${report.reconnectsPerSecond} | ${report.delayMs.p99} ms | ${report.delayMs.worst} ms |`,
    );
    expect(report.behind).toEqual([]);
    return report;
  }

  beforeAll(async () => {
    nodes = (await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}'])).split(' ');
    const [node = ''] = nodes;
    driver = await Driver.start({ namespace: NAMESPACE, clients: CLIENTS, node });
  }, EVENT_MS);

  afterAll(async () => {
    const head = '| event | behind | failed calls | moves per client | reconnects per second, at most | p99 | worst |';
    console.info([head, head.replace(/[^|]+/g, ' --- '), ...rows].join('\n'));
    await driver?.stop();
    for (const node of nodes) await kubectl(['uncordon', node]);
  }, EVENT_MS);

  it(
    'miss nothing, and no call fails, in a rollout of everything',
    async () => {
      const report = await during('rollout of relays, webhooks and chat', async () => {
        const replaced = await podsOf('relay');
        await inNamespace('rollout', 'restart', 'deployment/relay', 'deployment/webhook', 'deployment/chat');
        for (const name of ['relay', 'webhook', 'chat']) await rolledOut(name);
        // The last relay still drains when its successor is available.
        await inNamespace('wait', '--for=delete', '--timeout=2m', ...replaced);
      });
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when a relay is deleted',
    async () => {
      const report = await during('a relay deleted', async () => {
        const [pod = ''] = await podsOf('relay');
        await inNamespace('delete', '--wait', pod);
        await rolledOut('relay');
      });
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when a relay is killed',
    async () => {
      const report = await during('a relay killed', async () => {
        const [pod = ''] = await podsOf('relay');
        await inNamespace('delete', '--force', '--grace-period=0', pod);
        await rolledOut('relay');
      });
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );

  it(
    'miss nothing when Redis is deleted, and calls fail only while there is none',
    async () => {
      const report = await during('Redis deleted', async () => {
        const [pod = ''] = await podsOf('redis');
        await inNamespace('delete', '--wait', pod);
        await rolledOut('redis');
      });
      expect(report.failedForMs).toBeLessThan(30_000);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when relays are added and removed',
    async () => {
      const report = await during('scaled from 2 to 4 relays, and back', async () => {
        for (const replicas of [4, 2]) {
          await inNamespace('scale', 'deployment/relay', `--replicas=${replicas}`);
          await rolledOut('relay');
          await eventually(async () => expect(await podsOf('relay')).toHaveLength(replicas), 120_000);
        }
      });
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when a node is drained',
    async () => {
      const [, other] = nodes;
      if (!other) throw new Error('this test needs a cluster with two nodes');
      // Redis has one pod: a drain of its node is the test of a deleted Redis.
      const selector = 'app.kubernetes.io/component in (relay, webhook, chat)';
      const report = await during('a node drained', async () => {
        await kubectl([
          'drain',
          other,
          '--ignore-daemonsets',
          '--delete-emptydir-data',
          '--pod-selector',
          selector,
          '--timeout=4m',
        ]);
        for (const name of ['relay', 'webhook', 'chat']) await rolledOut(name);
      });
      await kubectl(['uncordon', other]);
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );
});
