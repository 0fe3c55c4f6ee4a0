import { describe, expect, it } from 'vitest';
import { compact, duration, percent, size, tickDuration, whole } from '../../../../services/loadtest/report/format.ts';
import { renderText } from '../../../../services/loadtest/report/report-text.ts';
import { emptyReport, loadTestReport } from '../../../support/load-test-report.ts';

describe('the report for a terminal', () => {
  it('shows every figure, the wall, and the verdicts', () => {
    const text = renderText(loadTestReport());
    for (const line of [
      /^ {2}opened +2,000 of 2,000$/m,
      /^ {2}accepted +10 of 10$/m,
      /^ {2}in all +20,000$/m,
      /^ {2}99 % told within +40\.0 ms$/m,
      /^ {2}not up to date after 30 s +0$/m,
      /^ {2}CPU of the relays +10\.50 µs a delivery$/m,
      /^ {2}memory of the kernel +10\.0 KiB a client, for the ends that are here$/m,
      /^ {2}from due to told +12\.3 ms +20\.0 ms +45\.6 ms +78\.0 ms +123 ms +20,000$/m,
      /^The wall\n {2}none was met/m,
      /^ {2}ok {3}failed is 0 %, within 0 %$/m,
    ]) {
      expect(text).toMatch(line);
    }
    expect(text).not.toContain('report so far');
  });

  it('leaves out what was not measured, and tells why clients failed', () => {
    const text = renderText({ ...emptyReport(), ended: 'out of time' });
    expect(text).toContain('The test was out of time: this is the report so far.');
    expect(text).toMatch(/failed +2,000 \(ECONNREFUSED: 2,000\)/);
    expect(text).toContain('FAIL failed is 100 %, not within 0 %');
    expect(text).not.toMatch(/Deliveries|Latency|told within|undefined|NaN/);
  });

  it('names the most frequent reason first, and clients whose process ended', () => {
    const { clients } = loadTestReport();
    const text = renderText(loadTestReport({ clients: { ...clients, failed: { a: 1, b: 5 }, died: 2 } }));
    expect(text).toContain('failed                     8 (b: 5; their process ended: 2; a: 1)');
  });
});

describe('figures', () => {
  it('are written as people read them', () => {
    expect([0, 1.234, 56.78, 345.6, 1234, 12_345, 125_000].map(duration)).toEqual([
      ...['0.00 ms', '1.23 ms', '56.8 ms', '346 ms', '1.23 s', '12.3 s', '2.1 min'],
    ]);
    expect([0, 1000, 2560, 1.5 * 1024 ** 2, 3 * 1024 ** 4, -2048].map(size)).toEqual([
      ...['0 B', '1000 B', '2.5 KiB', '1.5 MiB', '3072.0 GiB', '-2.0 KiB'],
    ]);
    expect([0, 0.00001, 0.123456, 1].map(percent)).toEqual(['0 %', '0.001 %', '12.346 %', '100 %']);
    expect(whole(1_234_567.8)).toBe('1,234,568');
  });

  it('are short on an axis', () => {
    expect([0, 0.5, 250, 2000, 90_000, 1_200_000].map(tickDuration)).toEqual([
      '0',
      '500 µs',
      '250 ms',
      '2 s',
      '90 s',
      '20 min',
    ]);
    expect([0, 500, 20_000, 1_500_000].map(compact)).toEqual(['0', '500', '20K', '1.5M']);
  });
});
