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
let reasons: string[];
let dropped: number;
let counts: CallCounts;

beforeEach(() => {
  nowMs = 0;
  kept = new Map();
  reasons = [];
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
      traceKept: (reason) => void reasons.push(reason),
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

/** Fills the window of the slowest requests with requests of this duration. */
function fillWindow(tracer: ReturnType<typeof collect>['tracer'], ms: number): void {
  for (let i = 0; i < 5; i += 1) tracer.startSpan('request', { startTime: 0 }, ROOT_CONTEXT).end(ms);
  kept.clear();
  reasons = [];
}

function request(tracer: ReturnType<typeof collect>['tracer'], ms: number, parts: readonly string[] = []): Span {
  const root = tracer.startSpan('request', { kind: SpanKind.SERVER, startTime: 0 }, ROOT_CONTEXT);
  const within = trace.setSpan(ROOT_CONTEXT, root);
  for (const part of parts) tracer.startSpan(part, { startTime: 0 }, within).end(ms / 2);
  root.end(ms);
  return root;
}

describe('the span collector', () => {
  it('keeps samples whole', () => {
    const { tracer } = collect(1);
    const { traceId } = request(tracer, 1, ['one', 'two']).spanContext();
    expect(kept.get(traceId)).toEqual(['one', 'two', 'request']);
    expect(reasons).toEqual(['sample']);
  });

  it('keeps the slowest unsampled traces whole, and asks other processes for their parts', () => {
    const { tracer, collector } = collect();
    fillWindow(tracer, 10);
    collector.takeWanted();
    request(tracer, 5, ['quick']);
    expect(kept.size).toBe(0);
    const slow = request(tracer, 20, ['slow']);
    expect([...kept.values()]).toEqual([['slow', 'request']]);
    expect(reasons).toEqual(['slow']);
    expect(collector.takeWanted()).toEqual([slow.spanContext().traceId]);
    expect(collector.takeWanted()).toEqual([]);
    expect(slow.spanContext().traceFlags).toBe(TraceFlags.NONE);
  });

  it('keeps some failed traces, even if they were fast', () => {
    const { tracer } = collect();
    fillWindow(tracer, 10);
    for (let i = 0; i < 50; i += 1) {
      const root = tracer.startSpan('request', { startTime: 0 }, ROOT_CONTEXT);
      root.setStatus({ code: SpanStatusCode.ERROR, message: 'broker_unavailable' });
      root.end(1);
    }
    expect(reasons).toEqual(['error', 'error', 'error', 'error', 'error']);
  });

  it('keeps a trace that another process wants, including late spans', () => {
    const { tracer, collector } = collect();
    fillWindow(tracer, 10);
    const root = request(tracer, 1, ['part']);
    const { traceId } = root.spanContext();
    collector.want('0123456789abcdef0123456789abcdef');
    expect(kept.size).toBe(0);
    collector.want(traceId);
    collector.want(traceId);
    expect(kept.get(traceId)).toEqual(['part', 'request']);
    tracer.startSpan('late', {}, trace.setSpan(ROOT_CONTEXT, root)).end();
    expect(kept.get(traceId)).toEqual(['part', 'request', 'late']);
    expect(reasons).toEqual(['wanted']);
  });

  it('keeps a trace that its service has decided to keep', () => {
    const { tracer, collector } = collect();
    fillWindow(tracer, 10);
    collector.takeWanted();
    for (const reason of ['slow', 'wanted']) {
      tracer.startSpan('request', { startTime: 0, attributes: { [KEPT]: reason } }, ROOT_CONTEXT).end(0.1);
    }
    expect(reasons).toEqual(['slow', 'wanted']);
    expect(collector.takeWanted()).toHaveLength(1);
  });

  it('counts every recorded span, kept or not', () => {
    const { tracer, collector } = collect();
    fillWindow(tracer, 10);
    for (let i = 0; i < 20; i += 1) request(tracer, 1, ['part']);
    const taken = () => JSON.parse(counts.take().get(0) ?? '[]') as CallCount[];
    expect(taken().map(({ name, count }) => [name, count])).toContainEqual(['part', 20]);
    collector.doNotCount('webhook');
    request(tracer, 1, ['counted by its service']);
    expect(taken().map(({ name }) => name)).not.toContain('counted by its service');
  });

  it('takes bounded memory for traces that never end or are never wanted', () => {
    const { tracer, collector } = collect();
    fillWindow(tracer, 100);
    const { traceId } = request(tracer, 1, ['part']).spanContext();
    for (let i = 0; i < 3000; i += 1) {
      nowMs += 50;
      request(tracer, 1, ['part', 'part']).spanContext(); // its id is used
    }
    collector.want(traceId);
    expect(kept.has(traceId)).toBe(false); // forgotten long ago
    const root = tracer.startSpan('request', {}, ROOT_CONTEXT);
    const within = trace.setSpan(ROOT_CONTEXT, root);
    for (let i = 0; i < 1000; i += 1) tracer.startSpan('part', {}, within).end();
    expect(dropped).toBeGreaterThan(700);
  });

  it('records at most 30 unsampled traces per second, and nothing of the rest', () => {
    const { tracer } = collect();
    const requests = Array.from({ length: 1000 }, () => request(tracer, 1, ['part']));
    expect(requests.filter((root) => root.spanContext().traceId !== '0'.repeat(32))).toHaveLength(30);
    const [taken] = [...counts.take().values()].map((text) => JSON.parse(text) as CallCount[]);
    expect(taken?.map(({ name, count }) => [name, count])).toEqual([
      ['part', 30],
      ['request', 30],
    ]);
    nowMs += 1000;
    expect(request(tracer, 1).spanContext().traceId).not.toBe('0'.repeat(32));
  });

  it('keeps at most 200 traces per second', () => {
    const { tracer } = collect(1);
    for (let i = 0; i < 1000; i += 1) request(tracer, 1);
    expect(reasons).toHaveLength(200);
    expect(dropped).toBe(800);
    nowMs = 1000;
    request(tracer, 1);
    expect(reasons).toHaveLength(201);
  });
});
