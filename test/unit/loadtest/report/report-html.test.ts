import { describe, expect, it } from 'vitest';
import { PAGE_STYLE } from '../../../../services/loadtest/report/page-style.ts';
import type { Report } from '../../../../services/loadtest/report/report.ts';
import { renderHtml } from '../../../../services/loadtest/report/report-html.ts';
import { coloursOf, contrast } from '../../../support/colours.ts';
import { emptyReport, loadTestReport, SUMMARY } from '../../../support/load-test-report.ts';

const HOSTILE = `<img src=x onerror="alert('1')"> & </style><script>`;

/** A report in which every text is hostile. */
function hostileReport(): Report {
  const report = loadTestReport();
  return loadTestReport({
    label: HOSTILE,
    cluster: HOSTILE,
    machine: { ...report.machine, node: HOSTILE },
    settings: { [HOSTILE]: HOSTILE },
    plan: [HOSTILE],
    wall: HOSTILE,
    clients: { ...report.clients, failed: { [HOSTILE]: 1 }, lost: { [HOSTILE]: 1 }, notBack: { [HOSTILE]: 1 } },
    updates: { ...report.updates, failed: { [HOSTILE]: 1 }, repeated: { [HOSTILE]: 1 } },
    phases: [{ name: HOSTILE, fromS: 1, toS: 2 }],
  });
}

describe('the report as a page', () => {
  it('shows everything as text, whatever it is', () => {
    const page = renderHtml(hostileReport());
    expect(page).not.toMatch(/<(img|script)/i);
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(
      page.split('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt; &amp; &lt;/style&gt;&lt;script&gt;').length,
    ).toBeGreaterThan(12);
  });

  it('needs nothing else, and could not fetch it', () => {
    const page = renderHtml(loadTestReport());
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(page).not.toMatch(/\b(src|href|action)=|url\(|@import|<(script|link|img|iframe|object|base|form)\b/i);
    expect(page).not.toMatch(/\bon[a-z]+=/i);
  });

  it('says first what was found, and by day and night whether that is enough', () => {
    const page = renderHtml(loadTestReport());
    expect(page).toContain('<h1>2,000 clients, all told within 50.0 ms</h1>');
    expect(page).toContain('Every threshold is kept');
    const broken = { name: 'p99', most: 1, value: 45.6, isKept: false } as const;
    const other = renderHtml(loadTestReport({ verdicts: [broken], ended: 'interrupted' }));
    expect(other).toContain('Not every threshold is kept');
    expect(other).toContain('p99 is 45.6 ms, not within 1.00 ms');
    expect(other).toContain('The test was interrupted: this is the report so far.');
  });

  it.each<[string, Partial<Report>, string]>([
    ['nobody came', emptyReport(), 'No client could connect'],
    ['nothing was published', { updates: emptyReport().updates }, '2,000 clients connected'],
    ['nothing was accepted', { updates: { ...loadTestReport().updates, accepted: 0 } }, 'No update was accepted'],
    [
      'some were not told',
      { told: { p50: 1, p99: undefined, p100: undefined }, behind: [{ afterS: 1, clients: 30, slow: 0 }] },
      '30 of 2,000 clients were not told',
    ],
    [
      'the end came first',
      { told: { p50: undefined, p99: undefined, p100: undefined }, behind: [] },
      '2,000 clients, told within 123 ms so far',
    ],
  ])('says first that %s', (_, more, sentence) => {
    expect(renderHtml(loadTestReport(more))).toContain(`<h1>${sentence}</h1>`);
  });

  it('plots percentiles, who was told, and the seconds; with words for those who do not see', () => {
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
      'Latency of 20,000 deliveries by percentile: half within 12.3 ms, 99 % within 45.6 ms, all within 123 ms',
    );
    expect(labels).toContain(
      'Share of the clients that had the last update of their topics: half within 12.0 ms, 99 % within 40.0 ms, all within 50.0 ms',
    );
    const titles = [...page.matchAll(/<figcaption><h3>([^<]*)/g)].map(([, title]) => title);
    expect(titles).toEqual([
      'How late the deliveries were',
      'Who had the last update, and when',
      'Clients that are connected',
      'Handshakes a second',
      'Deliveries a second',
      'CPU of this machine',
      'Latency',
    ]);
    expect(page).toContain('slow readers');
    for (const [, path] of page.matchAll(/ d="([^"]*)"/g)) expect(path).toMatch(/^M[\d.]+ [\d.]+([LHVZ][\d. ]*)+$/);
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('leaves out what was not measured', () => {
    const page = renderHtml(emptyReport());
    expect(page).not.toContain('<figure');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    expect(page).toContain('ECONNREFUSED: 2,000');
  });

  it('stays small, however long the test was', () => {
    const second = loadTestReport().series[20];
    if (!second) throw new Error('there is no such second');
    const series = Array.from({ length: 86_400 }, (_, i) => ({ ...second, atS: i + 1 }));
    expect(renderHtml(loadTestReport({ series })).length).toBeLessThan(400_000);
  });
});

const [light, dark] = coloursOf(PAGE_STYLE.text);

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s colours of the report', (_, colours) => {
  const of = (colour: string) => colours[colour] ?? expect.unreachable(`there is no colour ${colour}`);

  it('let everybody read the text', () => {
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

  it('let everybody see the lines', () => {
    for (const line of ['first', 'second', 'third'])
      expect(contrast(of(line), of('card')), line).toBeGreaterThanOrEqual(3);
  });
});
