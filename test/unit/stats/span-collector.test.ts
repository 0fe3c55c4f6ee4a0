import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { beforeEach, describe, expect, it } from 'vitest';
import { KEPT } from '../../../services/shared/trace/service-stats.ts';
import { CallCounts } from '../../../services/stats/recorder/call-counts.ts';
import { EpochClock } from '../../../services/stats/recorder/epoch-clock.ts';
import { Recorder } from '../../../services/stats/recorder/recorder.ts';
import { Slowest } from '../../../services/stats/recorder/slowest.ts';
import { SpanCollector } from '../../../services/stats/recorder/span-collector.ts';
import type { CallCount, SpanRecord } from '../../../services/stats/store/records.ts';

let nowMs: number;
let kept: Map<string, string[]>;
let why: string[];
let dropped: number;
let counts: CallCounts;

beforeEach(() => {
  nowMs = 0;
  kept = new Map();
  why = [];
  dropped = 0;
  counts = new CallCounts({ nowMs: () => nowMs });
});

function collect(sampleRate = 0) {
  const collector = new SpanCollector({
    counts,
    slowest: new Slowest({ monotonicMs: () => nowMs }),
    monotonicMs: () => nowMs,
    report: {
      spanRecorded() {},
      spansDropped: (count) => {
        dropped += count;
      },
      traceKept: (reason) => void why.push(reason),
    },
    keep(traceId: string, spans: readonly SpanRecord[]) {
      kept.set(traceId, [...(kept.get(traceId) ?? []), ...spans.map(({ name }) => name)]);
    },
  });
  const epoch = new EpochClock();
  const recorder = new Recorder({
    name: 't',
    instance: 'i',
    isSample: () => sampleRate > 0,
    traceOf: (id) => collector.lightTrace(id),
    processors: [collector],
    epoch,
  });
  return { collector, tracer: recorder.tracer('webhook') };
}

/** Requests that took so long, and so are no news, as far as they take less. */
function occupy(tracer: ReturnType<typeof collect>['tracer'], ms: number): void {
  for (let i = 0; i < 5; i += 1) tracer.startSpan('request', { startTime: 0 }, ROOT_CONTEXT).end(ms);
  kept.clear();
  why = [];
}

function request(tracer: ReturnType<typeof collect>['tracer'], ms: number, parts: readonly string[] = []): Span {
  const root = tracer.startSpan('request', { kind: SpanKind.SERVER, startTime: 0 }, ROOT_CONTEXT);
  const within = trace.setSpan(ROOT_CONTEXT, root);
  for (const part of parts) tracer.startSpan(part, { startTime: 0 }, within).end(ms / 2);
  root.end(ms);
  return root;
}

describe('of the traces of a process', () => {
  it('samples are kept whole', () => {
    const { tracer } = collect(1);
    const { traceId } = request(tracer, 1, ['one', 'two']).spanContext();
    expect(kept.get(traceId)).toEqual(['one', 'two', 'request']);
    expect(why).toEqual(['sample']);
  });

  it('the slowest are kept whole though they are no sample, and others are asked for their parts', () => {
    const { tracer, collector } = collect();
    occupy(tracer, 10);
    collector.takeWanted();
    request(tracer, 5, ['quick']);
    expect(kept.size).toBe(0);
    const slow = request(tracer, 20, ['slow']);
    expect([...kept.values()]).toEqual([['slow', 'request']]);
    expect(why).toEqual(['slow']);
    expect(collector.takeWanted()).toEqual([slow.spanContext().traceId]);
    expect(collector.takeWanted()).toEqual([]);
    expect(slow.spanContext().traceFlags).toBe(TraceFlags.NONE);
  });

  it('some of those that failed are kept, though they were quick', () => {
    const { tracer } = collect();
    occupy(tracer, 10);
    for (let i = 0; i < 50; i += 1) {
      const root = tracer.startSpan('request', { startTime: 0 }, ROOT_CONTEXT);
      root.setStatus({ code: SpanStatusCode.ERROR, message: 'broker_unavailable' });
      root.end(1);
    }
    expect(why).toEqual(['error', 'error', 'error', 'error', 'error']);
  });

  it('those are kept that another process wants, also what comes late', () => {
    const { tracer, collector } = collect();
    occupy(tracer, 10);
    const root = request(tracer, 1, ['part']);
    const { traceId } = root.spanContext();
    collector.want('0123456789abcdef0123456789abcdef');
    expect(kept.size).toBe(0);
    collector.want(traceId);
    collector.want(traceId);
    expect(kept.get(traceId)).toEqual(['part', 'request']);
    tracer.startSpan('late', {}, trace.setSpan(ROOT_CONTEXT, root)).end();
    expect(kept.get(traceId)).toEqual(['part', 'request', 'late']);
    expect(why).toEqual(['wanted']);
  });

  it('those are kept that were judged elsewhere already', () => {
    const { tracer, collector } = collect();
    occupy(tracer, 10);
    collector.takeWanted();
    for (const reason of ['slow', 'wanted']) {
      tracer.startSpan('request', { startTime: 0, attributes: { [KEPT]: reason } }, ROOT_CONTEXT).end(0.1);
    }
    expect(why).toEqual(['slow', 'wanted']);
    expect(collector.takeWanted()).toHaveLength(1);
  });

  it('all are counted, kept or not', () => {
    const { tracer, collector } = collect();
    occupy(tracer, 10);
    for (let i = 0; i < 20; i += 1) request(tracer, 1, ['part']);
    const told = () => JSON.parse(counts.take().get(0) ?? '[]') as CallCount[];
    expect(told().map(({ name, count }) => [name, count])).toContainEqual(['part', 20]);
    collector.doNotCount('webhook');
    request(tracer, 1, ['by hand']);
    expect(told().map(({ name }) => name)).not.toContain('by hand');
  });

  it('those that nobody ever ends or wants take bounded memory', () => {
    const { tracer, collector } = collect();
    occupy(tracer, 100);
    const { traceId } = request(tracer, 1, ['part']).spanContext();
    for (let i = 0; i < 3000; i += 1) {
      nowMs += 50;
      request(tracer, 1, ['part', 'part']).spanContext(); // passed on to somebody
    }
    collector.want(traceId);
    expect(kept.has(traceId)).toBe(false); // forgotten long ago
    const root = tracer.startSpan('request', {}, ROOT_CONTEXT);
    const within = trace.setSpan(ROOT_CONTEXT, root);
    for (let i = 0; i < 1000; i += 1) tracer.startSpan('part', {}, within).end();
    expect(dropped).toBeGreaterThan(700);
  });

  it('only so many are recorded each second that are no sample, however many there are, and nothing of the rest', () => {
    const { tracer } = collect();
    const requests = Array.from({ length: 1000 }, () => request(tracer, 1, ['part']));
    expect(requests.filter((root) => root.spanContext().traceId !== '0'.repeat(32))).toHaveLength(30);
    const [told] = [...counts.take().values()].map((text) => JSON.parse(text) as CallCount[]);
    expect(told?.map(({ name, count }) => [name, count])).toEqual([
      ['part', 30],
      ['request', 30],
    ]);
    nowMs += 1000;
    expect(request(tracer, 1).spanContext().traceId).not.toBe('0'.repeat(32));
  });

  it('only so many are kept each second, whoever asks for it', () => {
    const { tracer } = collect(1);
    for (let i = 0; i < 1000; i += 1) request(tracer, 1);
    expect(why).toHaveLength(200);
    expect(dropped).toBe(800);
    nowMs = 1000;
    request(tracer, 1);
    expect(why).toHaveLength(201);
  });
});
