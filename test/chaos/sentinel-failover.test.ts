import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChaosCluster } from '../support/chaos-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type SentinelFixture, startSentinels } from '../support/sentinel-fixture.ts';

describe('no acknowledged update is lost to a client', () => {
  let sentinel: SentinelFixture;
  let cluster: ChaosCluster;
  beforeAll(async () => {
    sentinel = await startSentinels();
    cluster = await ChaosCluster.start({ env: sentinel.env });
  });
  afterAll(async () => {
    await cluster?.stop();
    await sentinel?.stop();
  });

  it('when the master is killed with updates that no replica and no relay received, and Sentinel fails over', async () => {
    const old = await sentinel.master();
    const outcome = await cluster.measure(
      'Sentinel failover, from the kill of the master',
      async () => {
        const replicas = sentinel.servers.filter((server) => server !== old);
        for (const replica of replicas) replica.freeze();
        await cluster.publishWithoutSignals([old]);
        await old.kill();
        for (const replica of replicas) replica.thaw();
        cluster.resumeRelays();
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
    expect(await sentinel.master()).not.toBe(old);
    await old.run();
  });

  it('when the master is frozen, replaced, and resumes', async () => {
    const old = await sentinel.master();
    const outcome = await cluster.measure(
      'Sentinel failover, from the moment the replaced master resumes',
      async () => {
        old.freeze();
        await eventually(async () => expect(await sentinel.master()).not.toBe(old));
        old.thaw();
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  });
});
