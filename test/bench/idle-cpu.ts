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
  const servers = quick ? 1 : 6;
  const clients = quick ? 2000 : Math.floor(100_000 / servers) * servers;
  const seconds = quick ? 2 * PING_INTERVAL_S : 300;
  const samples: Samples = {};
  const contenders = [PINGING_BASELINE, PINGING_RELAY, ...ofOtherBuild([PINGING_RELAY], against)];
  for (const contender of contenders) {
    await withTestBeds(Array<Contender>(servers).fill(contender), { redisUrl: redis.url }, async (beds) => {
      progress(`${clients} clients connect to ${contender.name}`);
      for (const bed of beds) await bed.connect(clients / servers);
      progress(`${seconds} s without updates`);
      await pause(PING_INTERVAL_S * 1000); // until each was pinged once
      const cpuUs = () => beds.map((bed) => bed.server.process.cpuUs);
      const before = cpuUs();
      const startedMs = performance.now();
      await pause(seconds * 1000);
      const elapsedS = (performance.now() - startedMs) / 1000;
      for (const [i, us] of cpuUs().entries()) {
        collect(samples, contender.name, (us - (before[i] ?? 0)) / elapsedS / (clients / servers));
      }
    });
  }
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
    'The CPU that servers need for 100,000 clients that only answer pings, for five minutes; one value for each of six servers (2,000 for 90 seconds with --quick)',
  isLong: true,
  run,
};
