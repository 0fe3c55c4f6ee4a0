import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { renderMerged } from '../../../../services/shared/process/metrics-registry.ts';
import { createBrokerReport } from '../../../support/broker-report-fixture.ts';

const QUIET_MS = 600_000;
const LEVELS: Record<number, string> = { 30: 'info', 40: 'warn', 50: 'error' };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Creates a report whose log lines are levels, messages, and the reason or policy, and that shows its metrics. */
function createReport() {
  const { registry, ...rest } = createBrokerReport(
    ({ level, msg, reason, policy }) => `${LEVELS[level]}: ${msg} | ${reason ?? policy ?? ''}`,
  );
  const samples = async () => (await registry.metrics()).split('\n').filter((line) => line && !line.startsWith('#'));
  return { ...rest, registry, samples };
}

describe('the metrics of a broker', () => {
  it('count its links by purpose, also one that was never established', async () => {
    const { report, samples } = createReport();
    report.linkUp('commands');
    report.linkUp('commands');
    report.linkDown('commands');
    report.linkFailed('subscriber', 'refused');
    expect(await samples()).toEqual([
      'broker_links{link="commands"} 1',
      'broker_links{link="subscriber"} 0',
      'broker_connects_total{link="commands"} 2',
      'broker_eviction_risk 0',
    ]);
  });

  it('count refusals, each reason logged again only after ten quiet minutes', async () => {
    const { report, samples, take } = createReport();
    const refuse = (reason: string) => {
      report.commandRefused({ reason, explanation: `it is ${reason}` });
      return take().length;
    };
    report.commandRefused({ reason: 'oom', explanation: 'its memory is full' });
    expect(take()).toEqual(['error: Redis refuses commands: its memory is full | oom']);
    expect([refuse('oom'), refuse('readonly')]).toEqual([0, 1]);
    vi.advanceTimersByTime(QUIET_MS);
    expect(refuse('oom')).toBe(0);
    vi.advanceTimersByTime(QUIET_MS + 1);
    expect(refuse('oom')).toBe(1);
    expect(await samples()).toContain('broker_refusals_total{reason="oom"} 4');
  });

  it('warn of a server that may evict registers, until it may not', async () => {
    const { report, samples, take } = createReport();
    report.evictionPolicy('allkeys-lru');
    report.evictionPolicy('allkeys-lru');
    expect(take()).toEqual([expect.stringMatching(/^error: .*maxmemory-policy.*allkeys-lru$/)]);
    expect(await samples()).toContain('broker_eviction_risk 1');
    report.evictionPolicy('volatile-lru');
    expect(take()).toEqual([expect.stringMatching(/volatile-lru$/)]);
    report.evictionPolicy('noeviction');
    expect([take(), (await samples()).includes('broker_eviction_risk 0')]).toEqual([[], true]);
  });

  it('show a risk of eviction for all processes of a relay as soon as one has it', async () => {
    const metrics = await Promise.all(
      ['allkeys-lru', 'noeviction', 'allkeys-lru'].map((policy) => {
        const { report, registry } = createReport();
        report.evictionPolicy(policy);
        return registry.getMetricsAsJSON();
      }),
    );
    expect(await renderMerged(metrics)).toContain('\nbroker_eviction_risk 1\n');
  });

  it('log settings that differ, and agree again', () => {
    const { report, take } = createReport();
    report.settingsDiffer('16 partitions here, 32 there');
    report.settingsDiffer(undefined);
    expect(take()).toEqual([
      expect.stringMatching(/^error: .*16 partitions here, 32 there/),
      expect.stringMatching(/^info: .*agree again/),
    ]);
  });

  it('log once that scripts cannot be loaded', () => {
    const { report, take } = createReport();
    report.scriptLoadRefused('NOPERM');
    report.scriptLoadRefused('NOPERM');
    expect(take()).toEqual([expect.stringMatching(/^warn: .*SCRIPT LOAD.*NOPERM$/)]);
  });
});
