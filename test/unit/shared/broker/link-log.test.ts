import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createBrokerReport } from '../../../support/broker-report-fixture.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Creates a report whose log lines are messages, with their reason and the number of times if they have these. */
const createReport = () =>
  createBrokerReport(({ msg, reason, times }) => [msg, reason, times].filter((part) => part !== undefined).join(' | '));

const LOST = 'lost the connection to Redis';
const CONNECTED = 'connected to Redis';

it('a link that is lost again and again logs each line once a minute, with the number of times', () => {
  const { report, take } = createReport();
  report.linkUp('subscriber');
  expect(take()).toEqual([CONNECTED]);
  for (let minute = 0; minute < 3; minute += 1) {
    for (let n = 0; n < 120; n += 1) {
      report.linkDown('subscriber');
      report.linkFailed('subscriber', 'reset');
      report.linkUp('subscriber');
      vi.advanceTimersByTime(500);
    }
    const times = minute === 0 ? 119 : 120;
    const first = minute === 0 ? [LOST, `cannot connect to Redis; retrying | reset`, CONNECTED] : [];
    expect(take()).toEqual([
      ...first,
      `${LOST} | ${times}`,
      `cannot connect to Redis; retrying | reset | ${times}`,
      `${CONNECTED} | ${times}`,
    ]);
  }
});

it('an outage is logged at once if there was no other within a minute, and not again', () => {
  const { report, take } = createReport();
  report.linkUp('commands');
  take();
  for (let n = 0; n < 3; n += 1) {
    report.linkDown('commands');
    expect(take()).toEqual([LOST]);
    vi.advanceTimersByTime(10_000);
    report.linkUp('commands');
    expect(take()).toEqual([CONNECTED]);
    vi.advanceTimersByTime(60_000);
    expect([take(), vi.getTimerCount()]).toEqual([[], 0]);
  }
});

it('a link that was never established logs each reason once', () => {
  const { report, take } = createReport();
  for (const reason of ['refused', 'refused', 'timed out', 'refused']) report.linkFailed('commands', reason);
  const line = 'cannot connect to Redis; retrying';
  expect(take()).toEqual([`${line} | refused`, `${line} | timed out`]);
  report.linkUp('commands');
  report.linkFailed('commands', 'refused');
  expect(take()).toEqual([CONNECTED, `${line} | refused`]);
});

it('the last line is the state of the link, at the latest after a minute', () => {
  const { report, take } = createReport();
  report.linkUp('commands');
  report.linkDown('commands');
  report.linkUp('commands');
  report.linkDown('commands');
  vi.advanceTimersByTime(60_000);
  expect(take().at(-1)).toBe(`${LOST} | 1`);
});

it('an eviction policy is not logged again by each connect', () => {
  const { report, take } = createReport();
  for (let n = 0; n < 10; n += 1) report.evictionPolicy('allkeys-lru');
  expect(take()).toHaveLength(1);
});

it('probes that Redis refuses are logged once a minute, with the reason and the number of times', () => {
  const { report, take } = createReport();
  const line = 'Redis refuses one probe of several partitions; probing each of them alone | TRYAGAIN';
  for (let n = 0; n < 30; n += 1) {
    report.probeRefused('TRYAGAIN');
    vi.advanceTimersByTime(2000);
  }
  expect(take()).toEqual([`${line} | 1`]);
  report.probeRefused('TRYAGAIN');
  expect(take()).toEqual([`${line} | 30`]);
});
