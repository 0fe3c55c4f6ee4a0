import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { ofOtherBuild, RELAY } from './servers/contenders.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';
import { rotate, withTestBeds } from './test-bed.ts';

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const counts = quick ? [250, 500, 1000] : [1250, 2500, 5000, 10_000];
  const rounds = quick ? 2 : 5;
  const deliveries = quick ? 5000 : 40_000;
  const samples: Samples = {};
  const own = counts.map((count) => ({ ...RELAY, name: `${count} clients` }));
  const contenders = [...own, ...ofOtherBuild(own, against)];
  await withTestBeds(contenders, { redisUrl: redis.url }, async (beds) => {
    const all = beds.map((bed, i) => ({ bed, clients: counts[i % counts.length] ?? 0 }));
    for (const { bed, clients } of all) {
      progress(`${clients} clients connect`);
      await bed.connect(clients);
      await bed.publishInTurn(10, clients);
    }
    for (let round = 0; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}`);
      for (const { bed, clients } of rotate(all, round)) {
        const cpuUs = await bed.cpuUs(() => bed.publishInTurn(deliveries / clients, clients));
        collect(samples, bed.name, cpuUs / deliveries);
      }
    }
  });
  const median = (count: number | undefined) => summarize(samples[`${count} clients`]).median;
  return {
    columns: ['one relay', 'CPU per delivery, µs'],
    rows: contenders.map(({ name }) => [name, showSummary(samples[name], 2)]),
    goals: [
      {
        description: 'CPU per delivery, most clients relative to fewest',
        atMost: 1.25,
        measured: median(counts.at(-1)) / median(counts[0]),
      },
    ],
    samples,
  };
}

export const GROWTH_IN_CLIENTS: Bench = {
  name: 'growth-in-clients',
  description: 'How the CPU per delivery grows with the number of clients',
  run,
};
