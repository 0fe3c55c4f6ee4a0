import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { BASELINE, comparedWith, NODE_RELAY, RELAY } from './servers/contenders.ts';
import { collect, ratios, type Samples, showSummary, summarize } from './statistics.ts';
import { rotate, withTestBeds } from './test-bed.ts';

const RELAYS = [RELAY, NODE_RELAY];

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const contenders = [BASELINE, ...RELAYS, ...comparedWith(RELAYS, against)];
  const clients = quick ? 1000 : 10_000;
  const rounds = quick ? 3 : 9;
  const updates = quick ? 20 : 8;
  const samples: Samples = {};
  await withTestBeds(contenders, { redisUrl: redis.url }, async (beds) => {
    for (const bed of beds) {
      progress(`${clients} clients connect to ${bed.name}`);
      await bed.connect(clients);
      await bed.publishInTurn(updates, clients);
    }
    for (let round = 0; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}`);
      for (const bed of rotate(beds, round)) {
        await bed.publishInTurn(1, clients);
        const cpuUs = await bed.cpuUs(() => bed.publishInTurn(updates, clients));
        collect(samples, bed.name, cpuUs / (updates * clients));
      }
    }
  });
  const base = samples[BASELINE.name];
  const ratiosOf = (name: string) => ratios(samples[name], base);
  return {
    columns: ['server', 'CPU per delivery, µs', 'relative to the baseline'],
    rows: contenders.map(({ name }) => [name, showSummary(samples[name], 2), showSummary(ratiosOf(name), 2)]),
    goals: [
      {
        description: 'CPU per delivery, relative to bare uWebSockets.js',
        atMost: 1.1,
        measured: summarize(ratiosOf(RELAY.name)).median,
      },
    ],
    samples,
  };
}

export const FAN_OUT: Bench = {
  name: 'fan-out',
  description:
    'The CPU that a server needs to send one update to each of 10,000 clients on one topic (1,000 with --quick)',
  run,
};
