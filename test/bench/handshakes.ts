import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { BASELINE, comparedWith, LEGACY_RELAY, RELAY } from './servers/contenders.ts';
import { collect, prefixed, ratios, type Samples, showSummary } from './statistics.ts';
import { pause, rotate, withTestBeds } from './test-bed.ts';

const RELAYS = [RELAY, LEGACY_RELAY];
const SETTLE_MS = 500;

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const contenders = [BASELINE, ...RELAYS, ...comparedWith(RELAYS, against)];
  const clients = quick ? 500 : 3000;
  const rounds = quick ? 2 : 6;
  const cpu: Samples = {};
  const perSecond: Samples = {};
  await withTestBeds(contenders, { redisUrl: redis.url }, async (fields) => {
    // The first round is for the compilers.
    for (let round = -1; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}`);
      for (const field of rotate(fields, round + 1)) {
        const begunMs = performance.now();
        const cpuUs = await field.cpuUs(() => field.connect(clients));
        const seconds = (performance.now() - begunMs) / 1000;
        await field.clients.disconnect();
        await pause(SETTLE_MS);
        if (round < 0) continue;
        collect(cpu, field.name, cpuUs / clients);
        collect(perSecond, field.name, clients / seconds);
      }
    }
  });
  return {
    columns: [
      'server',
      'CPU for each handshake, µs',
      'against the baseline',
      'handshakes a second, with these clients',
    ],
    rows: contenders.map(({ name }) => [
      name,
      showSummary(cpu[name], 0),
      showSummary(ratios(cpu[name], cpu[BASELINE.name]), 2),
      showSummary(perSecond[name], 0),
    ]),
    goals: [],
    samples: { ...prefixed('CPU', cpu), ...prefixed('a second', perSecond) },
  };
}

export const HANDSHAKES: Bench = {
  name: 'handshakes',
  what: 'What it costs to let 3,000 clients in that come at once, each with one topic (500 with --quick)',
  run,
};
