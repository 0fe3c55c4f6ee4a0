import { describe, expect, it } from 'vitest';
import type { SpanRecord, StoredTrace } from '../../../services/stats/store/records.ts';
import { matches, parseFilter } from '../../../services/stats/view/filters.ts';
import { summarize } from '../../../services/stats/view/summary.ts';
import { axisTicks, createTimeline } from '../../../services/stats/view/timeline.ts';

const T0 = 1_790_000_000_000_000;

function span(
  id: string,
  parent: string,
  atUs: number,
  durationUs: number,
  more: Partial<SpanRecord> = {},
): SpanRecord {
  const names = { id, parent, service: 'webhook', name: id, kind: 'internal' as const };
  return { ...names, startUs: T0 + atUs, durationUs, error: '', attributes: {}, ...more };
}

const deliver = { service: 'relay', name: 'deliver', kind: 'consumer' as const };

/** A webhook without clock skew, a relay whose clock is 500 µs behind, and one whose clock is 2 ms ahead. */
const TRACE: StoredTrace = {
  id: 'a',
  parts: [
    {
      process: 'w',
      skewUs: 0,
      uncertainUs: 10,
      spans: [
        span('publish', 'request', 400, 300, { service: 'redis', attributes: { topic: 'chat' } }),
        span('request', 'elsewhere', 0, 1000, { attributes: { 'url.path': '/webhook', topic: 'chat' } }),
        span('verify', 'request', 100, 50),
      ],
    },
    {
      process: 'r1',
      skewUs: 500,
      uncertainUs: 100,
      spans: [span('d1', 'publish', 100, 200, { ...deliver, attributes: { clients: 3 } })],
    },
    { process: 'r2', skewUs: null, uncertainUs: 0, spans: [] },
    {
      process: 'r2',
      skewUs: -2000,
      uncertainUs: 900,
      spans: [span('d2', 'publish', 2800, 800, { ...deliver, attributes: { clients: 4 } })],
    },
    {
      process: 'r2',
      skewUs: -2100,
      uncertainUs: 50,
      spans: [span('hand over', 'd2', 2900, 400, { service: 'relay', error: 'broken' })],
    },
  ],
};

describe('the summary of a trace', () => {
  it('describes the root span, and when all clients were notified', () => {
    expect(summarize(TRACE)).toEqual({
      id: 'a',
      name: 'request',
      service: 'webhook',
      topic: 'chat',
      path: '/webhook',
      startUs: T0,
      durationUs: 1000,
      wholeUs: 1500,
      toldUs: 1500,
      error: 'broken',
      refused: '',
      relays: 2,
      clients: 7,
      spans: 6,
    });
  });

  it('is undefined if no span is stored', () => {
    expect(summarize({ id: 'a', parts: [] })).toBeUndefined();
  });

  it('starts with the earliest stored span if the root was not kept', () => {
    const late = { ...TRACE, parts: TRACE.parts.slice(1, 2) };
    expect(summarize(late)).toMatchObject({ name: 'deliver', relays: 1, toldUs: 200 });
  });
});

describe('a timeline', () => {
  it('has a lane for each service of a process, on one clock, with children below their parent', () => {
    const processes = [
      {
        process: 'w',
        services: [],
        host: 'h',
        pid: 7,
        startedAtMs: 0,
        skewUs: 0,
        uncertainUs: 0,
        facts: {},
        topicLists: {},
      },
    ];
    const lanes = createTimeline(TRACE, processes)?.lanes ?? [];
    expect(lanes.map(({ service, process, where, skewUs }) => [service, process, where, skewUs])).toEqual([
      ['webhook', 'w', 'h:7', 0],
      ['redis', 'w', 'h:7', 0],
      ['relay', 'r1', '', 500],
      ['relay', 'r2', '', -2100],
    ]);
    expect(lanes.map(({ rows }) => rows.map(({ name, depth, afterUs }) => [name, depth, afterUs]))).toEqual([
      [
        ['request', 0, 0],
        ['verify', 1, 100],
      ],
      [['publish', 0, 400]],
      [['deliver', 0, 600]],
      [
        ['deliver', 0, 700],
        ['hand over', 1, 800],
      ],
    ]);
  });

  it('shows every span once, also with a cycle of parents or a duplicate', () => {
    const circle = [span('a', 'b', 0, 1), span('b', 'a', 1, 1), span('c', 'c', 2, 1), span('root', '', 0, 5)];
    const parts = [{ process: 'p', skewUs: 0, uncertainUs: 0, spans: [...circle, ...circle] }];
    const names = createTimeline({ id: 'x', parts }, [])?.lanes.flatMap(({ rows }) => rows.map(({ id }) => id));
    expect(names?.sort()).toEqual(['a', 'b', 'c', 'root']);
  });

  it.each([0, 1, 7, 480, 1000, 69_045, 2_500_000, 86_400_000_000])('has a few round ticks over %d µs', (lengthUs) => {
    const ticks = axisTicks(lengthUs);
    expect(ticks[0]).toBe(0);
    expect(ticks.length).toBeLessThanOrEqual(7);
    if (lengthUs >= 7) expect(ticks.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...ticks)).toBeLessThanOrEqual(lengthUs);
  });
});

describe('a filter', () => {
  const summary = summarize(TRACE) ?? expect.unreachable('the trace is valid');

  it.each([
    [{}, true],
    [{ topic: 'ha' }, true],
    [{ topic: 'news' }, false],
    [{ path: '/web' }, true],
    [{ path: 'request' }, true],
    [{ path: '/comments' }, false],
    [{ ms: '1.5' }, true],
    [{ ms: '1.6' }, false],
    [{ failed: '1' }, true],
    [{ refused: '1' }, false],
    [{ failed: '1', refused: '1' }, true],
    [{ call: 'redis publish' }, true],
    [{ call: 'redis publi' }, false],
  ])('%j matches: %s', (query, matching) => {
    expect(matches(parseFilter(query), summary, TRACE)).toBe(matching);
    expect(matches(parseFilter({ failed: '1' }), { ...summary, error: '' }, TRACE)).toBe(false);
    expect(matches(parseFilter({ refused: '1' }), { ...summary, refused: '404' }, TRACE)).toBe(true);
  });

  it.each([
    { ms: 'long' },
    { ms: '-5' },
    { ms: 'Infinity' },
    { sort: 'sideways' },
    { limit: '0' },
    { limit: '1e9x' },
    { topic: ['a', 'b'] },
    { failed: 'yes' },
  ])('ignores invalid values: %j', (query) => {
    expect(parseFilter(query)).toEqual(parseFilter({}));
  });

  it('has limits', () => {
    expect(parseFilter({ limit: '999999' }).limit).toBe(200);
    expect(parseFilter({ limit: '100' }).limit).toBe(100);
    expect(parseFilter({ topic: 'x'.repeat(10_000) }).topic).toHaveLength(200);
  });
});
