import { describe, expect, it } from 'vitest';
import { PAGE_STYLE } from '../../../../services/loadtest/report/page-style.ts';
import type { Report } from '../../../../services/loadtest/report/report.ts';
import { renderHtml } from '../../../../services/loadtest/report/report-html.ts';
import { coloursOf, contrast } from '../../../support/colours.ts';
import { emptyReport, loadTestReport, SUMMARY } from '../../../support/load-test-report.ts';

const HOSTILE = `<img src=x onerror="alert('1')"> & </style><script>`;

/** Returns a report in which every text is hostile. */
function hostileReport(): Report {
  const report = loadTestReport();
  return loadTestReport({
    label: HOSTILE,
    version: HOSTILE,
    commandLine: HOSTILE,
    cluster: HOSTILE,
    machine: { ...report.machine, node: HOSTILE },
    settings: { [HOSTILE]: HOSTILE },
    plan: [HOSTILE],
    bottleneck: HOSTILE,
    clients: { ...report.clients, failed: { [HOSTILE]: 1 }, lost: { [HOSTILE]: 1 }, reconnectFailed: { [HOSTILE]: 1 } },
    updates: { ...report.updates, failed: { [HOSTILE]: 1 }, retried: { [HOSTILE]: 1 } },
    phases: [{ name: HOSTILE, fromS: 1, toS: 2 }],
  });
}

describe('the report as a page', () => {
  it('escapes every text', () => {
    const page = renderHtml(hostileReport());
    expect(page).not.toMatch(/<(img|script)/i);
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(
      page.split('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt; &amp; &lt;/style&gt;&lt;script&gt;').length,
    ).toBeGreaterThan(14);
  });

  it('is self-contained and cannot make requests', () => {
    const page = renderHtml(loadTestReport());
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(page).not.toMatch(/\b(src|href|action)=|url\(|@import|<(script|link|img|iframe|object|base|form)\b/i);
    expect(page).not.toMatch(/\bon[a-z]+=/i);
  });

  it('starts with the result and the thresholds', () => {
    const page = renderHtml(loadTestReport());
    expect(page).toContain('<h1>2,000 clients, 10 updates: 99 % of deliveries within 45.6 ms, all within 123 ms</h1>');
    expect(page).toContain('>All thresholds met<');
    expect(page).toMatch(/Heliograph 1\.2\.3 .*<code>npm run loadtest -- --clients 2000<\/code>/s);
    expect(page).toMatch(/Last update<\/h2><p class="value">50\.0 ms<\/p><p>until every client had it/);
    const exceeded = { name: 'p99', limit: 1, value: 45.6, passed: false } as const;
    const other = renderHtml(loadTestReport({ thresholds: [exceeded], ended: 'interrupted' }));
    expect(other).toContain('1 of 1 thresholds exceeded');
    expect(other).toContain('p99: 45.6 ms (limit 1.00 ms)');
    expect(other).toContain('The test was interrupted; the results cover the time until then.');
  });

  it.each<[string, Partial<Report>, string]>([
    ['no client connected', emptyReport(), 'No client could connect'],
    ['nothing was published', { updates: emptyReport().updates }, '2,000 clients connected'],
    ['nothing was accepted', { updates: { ...loadTestReport().updates, accepted: 0 } }, 'No update was accepted'],
    [
      'some clients were not notified',
      { notified: { p50: 1, p99: undefined, p100: undefined }, behind: [{ afterS: 1, clients: 30, slow: 0 }] },
      '30 of 2,000 clients did not receive the last update',
    ],
    [
      'some clients read slowly',
      { slowLatency: SUMMARY },
      '2,000 clients, 10 updates: 99 % of deliveries within 45.6 ms, all within 123 ms, slow readers apart',
    ],
    [
      'the test ended before its checks',
      { notified: { p50: undefined, p99: undefined, p100: undefined }, behind: [] },
      '2,000 clients, 10 updates: 99 % of deliveries within 45.6 ms, all within 123 ms so far',
    ],
  ])('starts with the result if %s', (_, more, sentence) => {
    expect(renderHtml(loadTestReport(more))).toContain(`<h1>${sentence}</h1>`);
  });

  it('has plots with text alternatives', () => {
    const page = renderHtml(
      loadTestReport({
        slowLatency: SUMMARY,
        slowLatencyCurve: [
          [0, 900],
          [1, 5000],
        ],
      }),
    );
    const labels = [...page.matchAll(/aria-label="([^"]*)"/g)].map(([, label]) => label);
    expect(labels).toContain(
      'Latency of 20,000 deliveries by percentile: 50 % within 12.3 ms, 99 % within 45.6 ms, 100 % within 123 ms',
    );
    expect(labels).toContain(
      'Share of the clients that had the last update of their topics: 50 % within 12.0 ms, 99 % within 40.0 ms, 100 % within 50.0 ms',
    );
    const titles = [...page.matchAll(/<figcaption><h3>([^<]*)/g)].map(([, title]) => title);
    expect(titles).toEqual([
      'Latency by percentile',
      'Clients with the last update',
      'Connected clients',
      'Handshakes per second',
      'Deliveries per second',
      'CPU of this machine',
      'Latency',
    ]);
    expect(page).toContain('slow readers');
    for (const [, path] of page.matchAll(/ d="([^"]*)"/g)) expect(path).toMatch(/^M[\d.]+ [\d.]+([LHVZ][\d. ]*)+$/);
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('omits values that were not measured', () => {
    const page = renderHtml(emptyReport());
    expect(page).not.toContain('<figure');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    expect(page).toContain('ECONNREFUSED: 2,000');
  });

  it('stays small for a long test', () => {
    const second = loadTestReport().series[20];
    if (!second) throw new Error('the series is too short');
    const series = Array.from({ length: 86_400 }, (_, i) => ({ ...second, atS: i + 1 }));
    expect(renderHtml(loadTestReport({ series })).length).toBeLessThan(400_000);
  });
});

const [light, dark] = coloursOf(PAGE_STYLE.text);

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s colours of the report', (_, colours) => {
  const of = (colour: string) => colours[colour] ?? expect.unreachable(`unknown colour ${colour}`);

  it('have enough contrast for text', () => {
    for (const [ink, grounds] of Object.entries({
      ink: ['ground', 'card', 'notice'],
      faint: ['ground', 'card'],
      first: ['ground'],
      good: ['card'],
      bad: ['card'],
    })) {
      for (const ground of grounds)
        expect(contrast(of(ink), of(ground)), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('have enough contrast for lines', () => {
    for (const line of ['first', 'second', 'third'])
      expect(contrast(of(line), of('card')), line).toBeGreaterThanOrEqual(3);
  });
});
