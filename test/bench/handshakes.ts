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
  await withTestBeds(contenders, { redisUrl: redis.url }, async (beds) => {
    // Round -1 is a warm-up.
    for (let round = -1; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}`);
      for (const bed of rotate(beds, round + 1)) {
        const startedMs = performance.now();
        const cpuUs = await bed.cpuUs(() => bed.connect(clients));
        const seconds = (performance.now() - startedMs) / 1000;
        await bed.clients.disconnect();
        await pause(SETTLE_MS);
        if (round < 0) continue;
        collect(cpu, bed.name, cpuUs / clients);
        collect(perSecond, bed.name, clients / seconds);
      }
    }
  });
  return {
    columns: [
      'server',
      'CPU per handshake, µs',
      'relative to the baseline',
      'handshakes per second with these clients',
    ],
    rows: contenders.map(({ name }) => [
      name,
      showSummary(cpu[name], 0),
      showSummary(ratios(cpu[name], cpu[BASELINE.name]), 2),
      showSummary(perSecond[name], 0),
    ]),
    goals: [],
    samples: { ...prefixed('CPU', cpu), ...prefixed('per second', perSecond) },
  };
}

export const HANDSHAKES: Bench = {
  name: 'handshakes',
  description: 'The CPU to accept 3,000 clients that connect at once, each with one topic (500 with --quick)',
  run,
};
