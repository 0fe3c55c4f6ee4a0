import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { BASELINE, comparedWith, LEGACY_RELAY, NODE_RELAY, RELAY } from './servers/contenders.ts';
import { collect, prefixed, type Samples, showSummary, summarize } from './statistics.ts';
import { pause, rotate, SMALL_YOUNG_GENERATION, TestBed } from './test-bed.ts';

const RELAYS = [RELAY, LEGACY_RELAY, NODE_RELAY];
const SETTLE_MS = 500;

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const contenders = [BASELINE, ...RELAYS, ...comparedWith(RELAYS, against)];
  const [first, more] = quick ? [1000, 4000] : [2000, 14_000];
  const rounds = quick ? 1 : 3;
  const resident: Samples = {};
  const heap: Samples = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of rotate(contenders, round)) {
      progress(`round ${round + 1} of ${rounds}: ${contender.name}`);
      const bed = await TestBed.start(contender, { redisUrl: redis.url, nodeArgs: SMALL_YOUNG_GENERATION });
      try {
        // The first clients also cause one-time allocations: compiled code, tables, allocator pages.
        await bed.connect(first);
        const before = await settled(bed);
        await bed.connect(more);
        const after = await settled(bed);
        const perClient = (key: 'rss' | 'heapUsed') => (after[key] - before[key]) / more / 1024;
        collect(resident, contender.name, perClient('rss'));
        collect(heap, contender.name, perClient('heapUsed'));
      } finally {
        await bed.stop();
      }
    }
  }
  const goal = (name: string) => ({
    description: `KiB of memory per idle client, ${name}`,
    atMost: 1.5,
    measured: summarize(resident[name]).median,
  });
  return {
    columns: ['server', 'resident memory, KiB', 'of which JavaScript heap, KiB'],
    rows: contenders.map(({ name }) => [name, showSummary(resident[name], 2), showSummary(heap[name], 2)]),
    goals: [goal(RELAY.name), goal(LEGACY_RELAY.name)],
    samples: {
      ...prefixed('resident', resident),
      ...prefixed('heap', heap),
    },
  };
}

async function settled(bed: TestBed) {
  await pause(SETTLE_MS);
  return bed.server.process.memory();
}

export const IDLE_MEMORY: Bench = {
  name: 'idle-memory',
  description: 'The growth of the server process per idle client with one topic, after garbage collection',
  run,
};
