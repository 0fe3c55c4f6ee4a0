import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTraceparent, parseTraceparent } from '../../../services/shared/trace/traceparent.ts';
import { renderDashboard } from '../../../services/stats/pages/dashboard-page.ts';
import { renderTracePage } from '../../../services/stats/pages/trace-page.ts';
import { MemoryStatsStore } from '../../../services/stats/store/memory-stats-store.ts';
import { parseCalls, parsePart, parseProcess } from '../../../services/stats/store/parse-records.ts';
import { SPAN_KINDS } from '../../../services/stats/store/records.ts';
import { parseSorts, readDashboard } from '../../../services/stats/view/dashboard.ts';
import { parseFilter } from '../../../services/stats/view/filters.ts';
import { createTimeline } from '../../../services/stats/view/timeline.ts';
import { slowdown } from '../../support/slowdown.ts';

/** Cases per property; a long run sets FUZZ_RUNS=100000. */
const numRuns = Math.ceil(Number(process.env.FUZZ_RUNS ?? 1000) / 4);

const id = fc.constantFrom('a', 'b', 'c', '');
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.constantFrom('deliver', '<b>', '"', 'webhook'));
const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, 1e300, -1, 1_790_000_000_000_000));
const value = fc.oneof(text, number, fc.boolean(), fc.constant(null));

const span = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      ...{ id, parent: id, service: text, name: text, kind: fc.constantFrom(...SPAN_KINDS, 'other') },
      ...{ startUs: number, durationUs: number, error: text },
      attributes: fc.oneof(fc.jsonValue(), fc.dictionary(text, value)),
    },
    { requiredKeys: ['id', 'service', 'name', 'kind', 'startUs', 'durationUs'] },
  ),
);
const part = fc.oneof(
  text,
  fc.json(),
  fc
    .record({ process: id, skewUs: fc.oneof(number, fc.constant(null)), uncertainUs: number, spans: fc.array(span) })
    .map((record) => JSON.stringify(record)),
);
const record = fc.oneof(
  text,
  fc.json(),
  fc
    .record({
      ...{ process: id, services: fc.array(text), host: text, pid: fc.nat(), startedAtMs: number },
      ...{ skewUs: number, uncertainUs: number, facts: fc.dictionary(fc.constantFrom('fresh', 'connections'), value) },
    })
    .map((fields) => JSON.stringify(fields)),
);
const call = fc.record({
  ...{ service: text, name: text, kind: fc.constantFrom(...SPAN_KINDS), count: number, errors: number },
  ...{
    sumMs: number,
    maxMs: number,
    refusals: fc.dictionary(fc.oneof(text, fc.constantFrom('401 unauthorized', '404', '__proto__')), number),
    buckets: fc.dictionary(fc.oneof(text, fc.constantFrom('0', '12', 'constructor', '__proto__')), number),
  },
});
const calls = fc.oneof(
  text,
  fc.json(),
  fc.array(call).map((list) => JSON.stringify(list)),
);

it('a refusal of a call has a status, maybe a code, and a number; any other is left out', () => {
  const refusals = '{"404":1,"401 unauthorized":2,"200":3,"<b>":4,"__proto__":5,"429 rate_limited":"6"}';
  const [call] = parseCalls(
    `[{"service":"s","name":"n","kind":"server","count":9,"errors":0,"sumMs":1,"maxMs":1,"refusals":${refusals}}]`,
  );
  expect(call?.refusals).toEqual({ 404: 1, '401 unauthorized': 2 });
});

it('a bucket of a call has a number; any other name is left out', () => {
  const buckets = '{"0":1,"12":2,"constructor":3,"__proto__":4,"1.5":5,"":6}';
  const [call] = parseCalls(
    `[{"service":"s","name":"n","kind":"server","count":1,"errors":0,"sumMs":1,"maxMs":1,"buckets":${buckets}}]`,
  );
  expect(Object.entries(call?.buckets ?? {})).toEqual([
    ['0', 1],
    ['12', 2],
  ]);
});

describe('any stored text', { timeout: (20_000 + 40 * numRuns) * slowdown() }, () => {
  it('is parsed to valid records, or left out', () => {
    fc.assert(
      fc.property(part, record, calls, (one, other, third) => {
        for (const { startUs, durationUs, attributes } of parsePart(one)?.spans ?? []) {
          expect(startUs >= 0 && durationUs >= 0 && Number.isFinite(startUs + durationUs / 2)).toBe(true);
          for (const kept of Object.values(attributes)) expect(['string', 'number', 'boolean']).toContain(typeof kept);
        }
        expect(parseProcess(other)?.services.every((name) => typeof name === 'string')).not.toBe(false);
        expect(parseCalls(third).every(({ count, sumMs }) => count >= 0 && sumMs >= 0)).toBe(true);
      }),
      { numRuns },
    );
  });

  it('can be shown, and is escaped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(part), record, calls, async (parts, process, counted) => {
        const store = new MemoryStatsStore();
        const minute = Math.floor(Date.now() / 60_000);
        const traceId = '0af7651916cd43dd8448eb211c80319c';
        await store.write({
          ...{ process: 'p', record: process, calls: new Map([[minute, counted]]), wanted: [] },
          parts: parts.map((kept) => ({ traceId, text: kept })),
        });
        const url = new URL('http://localhost/stats');
        const dashboard = renderDashboard(
          await readDashboard(store, parseFilter({}), parseSorts({ requests: '-refused', processes: 'skew' })),
          {
            nowMs: 0,
            url,
            refreshes: true,
          },
        );
        const timeline = createTimeline(await store.trace(traceId), await store.processes());
        for (const page of [dashboard, timeline ? renderTracePage(timeline) : '']) {
          expect(page).not.toContain('<b>');
          expect(page).not.toMatch(/(x|width|height)="[^"]*(NaN|Infinity|-)/);
        }
      }),
      { numRuns },
    );
  });

  it('is parsed as a valid traceparent, or rejected', () => {
    const almost = fc
      .array(fc.constantFrom('00', '-', '0af7651916cd43dd', '01', 'ff', 'g', ' '))
      .map((all) => all.join(''));
    fc.assert(
      fc.property(fc.oneof(text, almost), (header) => {
        const parent = parseTraceparent(header);
        if (parent) expect(formatTraceparent(parent)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
      }),
      { numRuns: numRuns * 4 },
    );
  });
});
