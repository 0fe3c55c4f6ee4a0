import type { Bench, BenchContext, BenchResult } from './bench.ts';
import type { Contender } from './servers/contender.ts';
import { BASELINE, ofOtherBuild, RELAY, startPublisher, startRelay } from './servers/contenders.ts';
import { collect, ratios, type Samples, showSummary, summarize } from './statistics.ts';
import { pause, withTestBeds } from './test-bed.ts';

/** As `PING_INTERVAL` is by default. */
const PING_INTERVAL_S = 45;

const PINGING_BASELINE: Contender = {
  ...BASELINE,
  name: 'bare uWebSockets.js with its own pings',
  start: (options) => startPublisher('uws-server.ts', { ...options, pingIntervalS: PING_INTERVAL_S }),
};
const PINGING_RELAY: Contender = {
  ...RELAY,
  start: (options) => startRelay(options, { PING_INTERVAL: `${PING_INTERVAL_S}s` }),
};

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const servers = quick ? 1 : 3;
  const clients = quick ? 2000 : 17_000;
  const intervals = quick ? 1 : 4;
  const samples: Samples = {};
  const contenders = [PINGING_BASELINE, PINGING_RELAY, ...ofOtherBuild([PINGING_RELAY], against)];
  const all = contenders.flatMap((contender) => Array<Contender>(servers).fill(contender));
  await withTestBeds(all, { redisUrl: redis.url }, async (beds) => {
    for (const bed of beds) {
      progress(`${clients} clients connect to ${bed.name}`);
      await bed.connect(clients);
    }
    progress('waiting until each was pinged once');
    await pause(PING_INTERVAL_S * 1000);
    for (let interval = 0; interval < intervals; interval += 1) {
      progress(`interval ${interval + 1} of ${intervals}`);
      const before = beds.map((bed) => bed.server.process.cpuUs);
      const startedMs = performance.now();
      await pause(PING_INTERVAL_S * 1000);
      const elapsedS = (performance.now() - startedMs) / 1000;
      for (const [i, bed] of beds.entries())
        collect(samples, bed.name, (bed.server.process.cpuUs - (before[i] ?? 0)) / elapsedS / clients);
    }
  });
  const base = samples[PINGING_BASELINE.name];
  return {
    columns: ['server', 'CPU per client and second, µs', 'relative to the baseline'],
    rows: contenders.map(({ name }) => [
      name,
      showSummary(samples[name], 2),
      showSummary(ratios(samples[name], base), 2),
    ]),
    goals: [
      {
        description: 'CPU per idle client and second, µs',
        atMost: 0.5,
        measured: summarize(samples[PINGING_RELAY.name]).median,
      },
    ],
    samples,
  };
}

export const IDLE_CPU: Bench = {
  name: 'idle-cpu',
  description:
    'The CPU that servers need for clients that only answer pings: three servers of each kind at the same time, with 17,000 clients each, for four intervals of pings (one server with 2,000, for one interval, with --quick)',
  isLong: true,
  run,
};
