import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SpanRecord, StoredTrace } from '../../services/stats/store/records.ts';
import {
  type StatsReport,
  type StatsStore,
  type StoreLimits,
  WANTED_TOPICS,
} from '../../services/stats/store/stats-store.ts';
import { eventually } from '../support/eventually.ts';

export const LIMITS: StoreLimits = {
  maxTraces: 20,
  maxBytes: 20_000,
  maxTraceBytes: 4000,
  maxAgeMs: 3_600_000,
  processTtlMs: 300,
  wantedTtlMs: 60_000,
  maxWanted: 5,
};

/** Creates stores of one cluster, one for each process. */
export interface StatsStores {
  connect(limits?: StoreLimits): StatsStore;
}

const idOf = (n: number) => n.toString(16).padStart(32, '0');

function spanOf(name: string, more: Partial<SpanRecord> = {}): SpanRecord {
  const times = { startUs: 1_790_000_000_000_000, durationUs: 1000 };
  const names = { id: name, parent: '', service: 'webhook', name, kind: 'server' as const };
  return { ...names, ...times, error: '', attributes: { topic: 'chat' }, ...more };
}

function partOf(process: string, ...spans: SpanRecord[]): string {
  return JSON.stringify({ process, skewUs: 5, uncertainUs: 2, spans });
}

function report(more: Partial<StatsReport> = {}): StatsReport {
  const record = {
    process: 'one',
    services: ['webhook'],
    host: 'h',
    pid: 1,
    startedAtMs: 1,
    skewUs: null,
    uncertainUs: 0,
  };
  const process = more.process ?? 'one';
  const text = JSON.stringify({ ...record, process, facts: { fresh: true, connections: 3 } });
  return { process, record: text, calls: new Map(), parts: [], wanted: [], ...more };
}

async function all(store: StatsStore): Promise<StoredTrace[]> {
  const found: StoredTrace[] = [];
  for await (const traces of store.traces()) found.push(...traces);
  return found;
}

/** Defines the tests of the contract that every statistics store must pass. */
export function describeStatsStore(name: string, create: () => Promise<StatsStores>): void {
  describe(`the statistics store in ${name}`, () => {
    let stores: StatsStores;
    let store: StatsStore;
    const started: StatsStore[] = [];
    const connect = async (limits = LIMITS) => {
      const connected = stores.connect(limits);
      started.push(connected);
      await connected.start();
      return connected;
    };
    beforeEach(async () => {
      stores = await create();
      store = await connect();
    });
    afterEach(async () => {
      for (const connected of started.splice(0)) await connected.stop();
    });

    it('keeps the parts of several processes in one trace', async () => {
      await store.write(report({ parts: [{ traceId: idOf(1), text: partOf('one', spanOf('a')) }] }));
      await store.write(report({ process: 'two', parts: [{ traceId: idOf(1), text: partOf('two', spanOf('b')) }] }));
      expect(await store.trace(idOf(1))).toEqual({
        id: idOf(1),
        parts: [
          { process: 'one', skewUs: 5, uncertainUs: 2, spans: [spanOf('a')] },
          { process: 'two', skewUs: 5, uncertainUs: 2, spans: [spanOf('b')] },
        ],
      });
      expect(await all(store)).toHaveLength(1);
      expect(await store.trace(idOf(2))).toEqual({ id: idOf(2), parts: [] });
    });

    it('ends a session on every process, until it would have expired', async () => {
      const other = name === 'memory' ? store : await connect(); // a store in memory is of one process
      await store.endSession('one', 60_000);
      await store.endSession('short', 5);
      expect(await other.hasSessionEnded('one')).toBe(true);
      expect(await other.hasSessionEnded('two')).toBe(false);
      await eventually(async () => {
        await store.write(report());
        expect(await store.hasSessionEnded('short')).toBe(false);
      });
      expect(await store.hasSessionEnded('one')).toBe(true);
    });

    it('yields the newest traces first, however many there are', async () => {
      const many = await connect({ ...LIMITS, maxTraces: 200, maxBytes: 1_000_000 });
      for (let n = 0; n < 120; n += 1) {
        await many.write(report({ parts: [{ traceId: idOf(n), text: partOf('one', spanOf('a')) }] }));
      }
      expect((await all(many)).map(({ id }) => id)).toEqual(Array.from({ length: 120 }, (_, n) => idOf(119 - n)));
    });

    it('yields each trace once, also while others are added', async () => {
      const many = await connect({ ...LIMITS, maxTraces: 200, maxBytes: 1_000_000 });
      const write = (n: number) =>
        many.write(report({ parts: [{ traceId: idOf(n), text: partOf('one', spanOf('a')) }] }));
      for (let n = 0; n < 120; n += 1) await write(n);
      const shown: string[] = [];
      for await (const traces of many.traces()) {
        shown.push(...traces.map(({ id }) => id));
        await write(1000 + shown.length);
      }
      expect(shown).toEqual(Array.from({ length: 120 }, (_, n) => idOf(119 - n)));
    });

    it('never exceeds its limits, also with ten times as many traces', async () => {
      for (let n = 0; n < 10 * LIMITS.maxTraces; n += 5) {
        const parts = [0, 1, 2, 3, 4].map((i) => ({ traceId: idOf(n + i), text: partOf('one', spanOf('a')) }));
        const { traces, bytes } = await store.write(report({ parts }));
        expect(traces).toBeLessThanOrEqual(LIMITS.maxTraces);
        expect(bytes).toBeLessThanOrEqual(LIMITS.maxBytes);
      }
      expect((await all(store)).map(({ id }) => id)).toEqual(
        Array.from({ length: LIMITS.maxTraces }, (_, i) => idOf(10 * LIMITS.maxTraces - 1 - i))
          .sort()
          .reverse(),
      );
      // The limit in bytes: only six of these fit.
      const large = { attributes: { text: 'x'.repeat(2900) } };
      for (let n = 0; n < 60; n += 1) {
        const part = { traceId: idOf(1000 + n), text: partOf('one', spanOf('a', large)) };
        const { bytes } = await store.write(report({ parts: [part] }));
        expect(bytes).toBeLessThanOrEqual(LIMITS.maxBytes);
      }
      const kept = await all(store);
      expect(kept.length).toBeGreaterThan(3);
      expect(kept.length).toBeLessThan(7);
      expect(kept[0]?.id).toBe(idOf(1059));
    });

    it('limits the size of one trace', async () => {
      for (let n = 0; n < 100; n += 1) {
        await store.write(report({ parts: [{ traceId: idOf(1), text: partOf('one', spanOf(`span-${n}`)) }] }));
      }
      const { bytes, traces } = await store.write(report());
      expect({ traces, fits: bytes <= LIMITS.maxTraceBytes }).toEqual({ traces: 1, fits: true });
      expect((await store.trace(idOf(1))).parts.length).toBeGreaterThan(10);
    });

    it('drops old traces', async () => {
      const shortLived = await connect({ ...LIMITS, maxAgeMs: 200 });
      await shortLived.write(report({ parts: [{ traceId: idOf(1), text: partOf('one', spanOf('a')) }] }));
      expect(await all(shortLived)).toHaveLength(1);
      await eventually(async () => {
        expect(await shortLived.write(report())).toMatchObject({ traces: 0, bytes: 0 });
        expect(await all(shortLived)).toEqual([]);
        expect((await shortLived.trace(idOf(1))).parts).toEqual([]);
      });
    });

    it('skips invalid records, and returns the rest', async () => {
      const broken = ['', 'nonsense', 'null', '[]', '{"process":1,"spans":[]}', '{"process":"x"}'];
      const half = JSON.stringify({
        process: 'half',
        spans: [null, 7, { id: 'x' }, spanOf('good'), { ...spanOf('b'), startUs: 'now' }],
      });
      const texts = [...broken, half, partOf('one', spanOf('a'))];
      await store.write(report({ parts: texts.map((text) => ({ traceId: idOf(1), text })), record: 'nonsense' }));
      await store.write(report({ process: 'two', calls: new Map([[minuteNow(), '[{"service":"x"},null,5]']]) }));
      const { parts } = await store.trace(idOf(1));
      expect(parts.map(({ process, spans }) => [process, spans.map(({ id }) => id)])).toEqual([
        ['half', ['good']],
        ['one', ['a']],
      ]);
      expect((await store.processes()).map(({ process }) => process)).toEqual(['two']);
      expect((await store.calls()).flatMap(({ calls }) => calls)).toEqual([]);
    });

    it('returns the recent processes, and their counts', async () => {
      const counted = (count: number) => {
        const times = {
          count,
          errors: 1,
          refusals: { '401 unauthorized': 1 },
          sumMs: 5,
          maxMs: 3,
          buckets: { 9: count },
        };
        return { service: 'webhook', name: 'POST /webhook', kind: 'server', ...times };
      };
      const calls = (count: number) => new Map([[minuteNow(), JSON.stringify([counted(count)])]]);
      await store.write(report({ process: 'one', calls: calls(1) }));
      await store.write(report({ process: 'two', calls: calls(2) }));
      await store.write(report({ process: 'two', calls: calls(7) })); // the same minute, later
      const found = await store.processes();
      expect(found.map(({ process }) => process).sort()).toEqual(['one', 'two']);
      expect(found[0]).toMatchObject({ host: 'h', pid: 1, facts: { fresh: true, connections: 3 } });
      expect((await store.calls()).flatMap((minute) => minute.calls).sort((a, b) => a.count - b.count)).toEqual([
        counted(1),
        counted(7),
      ]);
      await eventually(async () => {
        await store.write(report({ process: 'two' }));
        expect((await store.processes()).map(({ process }) => process)).toEqual(['two']);
      });
    });

    it('returns the wanted traces to all processes, up to its limit', async () => {
      const other = await connect();
      await store.write(report({ wanted: [idOf(1), idOf(2)] }));
      if (name !== 'memory') expect((await other.write(report())).wanted).toEqual([idOf(1), idOf(2)]);
      const many = Array.from({ length: 50 }, (_, n) => idOf(100 + n));
      expect((await store.write(report({ wanted: many }))).wanted).toHaveLength(LIMITS.maxWanted);
    });

    it('lets all processes know which topics are wanted', async () => {
      await store.wantTopics('or ders');
      expect((await store.write(report())).wanted).toEqual([`${WANTED_TOPICS}or ders`]);
      const topics = [{ topic: 'chat', subscribers: 2, version: 3 }, { topic: 1 }, null];
      const record = JSON.parse(report().record);
      const topicLists = { '': { topics, matching: 9 }, bad: { topics: 1 }, worse: null };
      await store.write(report({ record: JSON.stringify({ ...record, topicLists }) }));
      const [process] = await store.processes();
      expect(process?.topicLists).toEqual({ '': { topics: topics.slice(0, 1), matching: 9 } });
    });

    it('returns the time of its clock', async () => {
      const before = Date.now() * 1000;
      const { nowUs } = await store.write(report());
      expect(nowUs).toBeGreaterThan(before - 2_000_000);
      expect(nowUs).toBeLessThan(Date.now() * 1000 + 2_000_000);
    });
  });
}

function minuteNow(): number {
  return Math.floor(Date.now() / 60_000);
}
