import { describe, expect, it } from 'vitest';
import { compact, duration, percent, size, tickDuration, whole } from '../../../../services/loadtest/report/format.ts';
import type { Report } from '../../../../services/loadtest/report/report.ts';
import { renderText } from '../../../../services/loadtest/report/report-text.ts';
import { emptyReport, loadTestReport } from '../../../support/load-test-report.ts';

describe('the report for a terminal', () => {
  it('shows every figure, the bottleneck and the thresholds', () => {
    const text = renderText(loadTestReport(), ['r.html', 'r.json']);
    for (const line of [
      /^ {2}connected +2,000 of 2,000$/m,
      /^ {2}accepted +10 of 10$/m,
      /^ {2}total +20,000$/m,
      /^ {2}99 % notified within +40\.0 ms$/m,
      /^ {2}50 % of them +mean 11\.0 ms; of each relay 10\.8 ms, by its own metrics 10\.5 ms; p99 20\.0 ms, maximum 30\.0 ms$/m,
      /^ {2}100 % of them +mean 40\.0 ms; p99 60\.0 ms, maximum 70\.0 ms; never for 2 updates$/m,
      /^ {2}behind after 30 s +0$/m,
      /^ {2}CPU of the relays +10\.50 µs per delivery$/m,
      /^ {2}memory of the kernel +10\.0 KiB per client, connection ends on this machine$/m,
      /^ {2}update, due → received +12\.3 ms +20\.0 ms +45\.6 ms +78\.0 ms +123 ms +20,000$/m,
      /^Bottleneck\n {2}none found/m,
      /^ {2}ok {3}failed: 0 % \(limit 0 %\)$/m,
    ]) {
      expect(text).toMatch(line);
    }
    expect(text).toMatch(/^\nHeliograph 1\.2\.3: npm run loadtest -- --clients 2000\n/);
    expect(text).not.toContain('until then');
  });

  it('ends with the result, the verdict and the files', () => {
    const result = '2,000 clients, 10 updates: 99 % of deliveries within 45.6 ms, all within 123 ms';
    const passed = renderText(loadTestReport(), ['r.html', 'r.json']);
    expect(passed.endsWith(`\nResult\n  ${result}\n  All thresholds met\n  written to r.html and r.json\n`)).toBe(true);
    const [met] = loadTestReport().thresholds;
    const thresholds = [met, { name: 'p99', limit: 1, value: 45.6, passed: false }] as Report['thresholds'];
    const failed = renderText(loadTestReport({ thresholds }), []);
    expect(failed.endsWith(`\nResult\n  ${result}\n  1 of 2 thresholds exceeded\n`)).toBe(true);
  });

  it('omits values that were not measured, and shows why clients failed', () => {
    const text = renderText({ ...emptyReport(), ended: 'out of time' }, []);
    expect(text).toContain('The test reached its maximum time; the results cover the time until then.');
    expect(text).toMatch(/failed to connect +2,000 \(ECONNREFUSED: 2,000\)/);
    expect(text).toContain('FAIL failed: 100 % (limit 0 %)');
    expect(text).not.toMatch(/Deliveries|Latency|notified within|undefined|NaN/);
  });

  it('lists the most frequent reason first, and clients whose process exited', () => {
    const { clients } = loadTestReport();
    const text = renderText(loadTestReport({ clients: { ...clients, failed: { a: 1, b: 5 }, processExited: 2 } }), []);
    expect(text).toContain('failed to connect          8 (b: 5; client process exited: 2; a: 1)');
  });
});

describe('formatted values', () => {
  it('have a suitable unit', () => {
    expect([0, 1.234, 56.78, 345.6, 1234, 12_345, 125_000].map(duration)).toEqual([
      ...['0.00 ms', '1.23 ms', '56.8 ms', '346 ms', '1.23 s', '12.3 s', '2.1 min'],
    ]);
    expect([0, 1000, 2560, 1.5 * 1024 ** 2, 3 * 1024 ** 4, -2048].map(size)).toEqual([
      ...['0 B', '1000 B', '2.5 KiB', '1.5 MiB', '3072.0 GiB', '-2.0 KiB'],
    ]);
    expect([0, 0.00001, 0.123456, 1].map(percent)).toEqual(['0 %', '0.001 %', '12.346 %', '100 %']);
    expect(whole(1_234_567.8)).toBe('1,234,568');
  });

  it('are short for an axis', () => {
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
