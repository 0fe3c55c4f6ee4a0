import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Driver, type DriverReport, expectFewMoves } from './driver.ts';
import { EventTable } from './event-table.ts';
import { Instance } from './instance.ts';
import { eventuallyInCluster, kubectl } from './kubectl.ts';

const CLIENTS = 400;
const EVENT_MS = 300_000;
/** On the pods of this instance only, so that a drained node keeps those of others. */
const LABEL = { 'heliograph-test': 'events' };

describe('400 clients of all transports on the local overlay', () => {
  let instance: Instance;
  let driver: Driver;
  let nodes: string[] = [];
  const table = new EventTable();

  /** Runs an event, and waits until all clients are current again. Adds its figures to the table. */
  async function during(name: string, event: () => Promise<unknown>): Promise<DriverReport> {
    const report = await driver.during(event);
    table.add(name, report);
    expect(report.behind).toEqual([]);
    return report;
  }

  beforeAll(async () => {
    nodes = (await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}'])).split(' ');
    const changes = { labels: [{ pairs: LABEL, includeTemplates: true }] };
    instance = await Instance.start({ namespace: 'heliograph-test-events', changes });
    driver = await Driver.start({ instance, clients: CLIENTS });
  }, EVENT_MS);

  afterAll(async () => {
    table.publish();
    for (const node of nodes) await kubectl(['uncordon', node]);
    await driver?.stop();
    await instance?.remove();
  }, EVENT_MS);

  it(
    'miss nothing, and no call fails, in a rollout of everything',
    async () => {
      const report = await during('rollout of relays, webhooks and chat', () =>
        instance.restart('relay', 'webhook', 'chat'),
      );
      expect(report.failures).toEqual([]);
      expectFewMoves(report, 2);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when a relay is deleted',
    async () => {
      const report = await during('a relay deleted', async () => {
        await instance.kubectl('delete', '--wait', await instance.busiestRelay());
        await instance.rolledOut('relay');
      });
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when a relay is killed',
    async () => {
      const report = await during('a relay killed', async () => {
        await instance.kubectl('delete', '--force', '--grace-period=0', await instance.busiestRelay());
        await instance.rolledOut('relay');
      });
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );

  it(
    'miss nothing when Redis is deleted, and calls fail only while there is none',
    async () => {
      const report = await during('Redis deleted', async () => {
        const [pod = ''] = await instance.podsOf('redis');
        await instance.kubectl('delete', '--wait', pod);
        await instance.rolledOut('redis');
      });
      expect(report.failedForMs).toBeLessThan(30_000);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when relays are added and removed',
    async () => {
      const report = await during('scaled from 2 relays to 4, to 1, and back', async () => {
        for (const replicas of [4, 1, 2]) {
          await instance.kubectl('scale', 'deployment/relay', `--replicas=${replicas}`);
          await instance.rolledOut('relay');
          await eventuallyInCluster(async () => expect(await instance.podsOf('relay')).toHaveLength(replicas), 120_000);
        }
      });
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );

  it(
    'miss nothing, and no call fails, when a node is drained',
    async () => {
      if (nodes.length < 2) throw new Error('this test needs a cluster with two nodes');
      const relay = await instance.busiestRelay();
      const node = await instance.kubectl('get', relay, '-o', 'jsonpath={.spec.nodeName}');
      // Redis has one pod: a drain of its node is the test of a deleted Redis.
      const [[label, value] = []] = Object.entries(LABEL);
      const selector = `${label}=${value},app.kubernetes.io/component in (relay, webhook, chat)`;
      const report = await during('a node drained', async () => {
        await kubectl([
          'drain',
          node,
          '--ignore-daemonsets',
          '--delete-emptydir-data',
          '--pod-selector',
          selector,
          '--timeout=4m',
        ]);
        await instance.rolledOut('relay', 'webhook', 'chat');
      });
      await kubectl(['uncordon', node]);
      expect(report.failures).toEqual([]);
    },
    EVENT_MS,
  );
});
