import { Latency } from '../../services/loadtest/measure/latency.ts';
import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { httpContenders } from './servers/http-contenders.ts';
import { collect, ratios, type Samples, showSummary } from './statistics.ts';
import { pause, rotate, type TestBed, withTestBeds } from './test-bed.ts';

/** Longer than an update takes. */
const SETTLE_MS = 300;

/** Publishes at a constant rate, and records how old the updates are when clients receive them. */
async function publishAtRate(bed: TestBed, rate: { perSecond: number; seconds: number }) {
  await bed.clients.takeAges();
  const updates = await bed.publishAtRate(rate);
  const all = new Latency();
  let received = 0;
  for (;;) {
    const { updates: more, ages } = await bed.clients.takeAges();
    if (more === 0) return { updates, received, ages: all };
    received += more;
    all.merge(ages);
    await pause(SETTLE_MS);
  }
}

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  // The same deliveries per second for both counts, as many as two cores can send and receive.
  const loads = quick
    ? [{ clients: 200, perSecond: 50 }]
    : [
        { clients: 1000, perSecond: 50 },
        { clients: 10_000, perSecond: 5 },
      ];
  const rounds = quick ? 1 : 5;
  const [seconds, inTurn] = quick ? [1, 10] : [4, 8];
  const samples: Samples = {};
  const rows: string[][] = [];
  for (const { clients, perSecond } of loads) {
    for (const contenders of httpContenders(against)) {
      const key = (name: string, value: string) => `${clients}, ${name}: ${value}`;
      await withTestBeds(contenders, { redisUrl: redis.url }, async (beds) => {
        for (const bed of beds) {
          progress(`${clients} clients connect to ${bed.name}`);
          await bed.connect(clients);
          await bed.publishInTurn(2, clients);
        }
        for (let round = 0; round < rounds; round += 1) {
          progress(`${clients} clients, round ${round + 1} of ${rounds}`);
          for (const bed of rotate(beds, round)) {
            await bed.publishInTurn(1, clients);
            const cpuUs = await bed.cpuUs(() => bed.publishInTurn(inTurn, clients));
            collect(samples, key(bed.name, 'CPU'), cpuUs / (inTurn * clients));
            const { updates, received, ages } = await publishAtRate(bed, { perSecond, seconds });
            collect(samples, key(bed.name, 'p50'), ages.quantile(0.5));
            collect(samples, key(bed.name, 'p99'), ages.quantile(0.99));
            collect(samples, key(bed.name, 'received'), (received / (updates * clients)) * 100);
          }
        }
      });
      const base = samples[key(contenders[0].name, 'CPU')];
      for (const { name } of contenders) {
        const of = (value: string) => samples[key(name, value)];
        rows.push([
          String(clients),
          name,
          showSummary(of('CPU'), 1),
          showSummary(ratios(of('CPU'), base), 2),
          showSummary(of('p50'), 1),
          showSummary(of('p99'), 1),
          showSummary(of('received'), 0),
        ]);
      }
    }
  }
  return {
    columns: [
      'clients',
      'server',
      'CPU per delivery, µs',
      'relative to the baseline',
      'p50 at a constant rate, ms',
      'p99, ms',
      'received, %',
    ],
    rows,
    goals: [],
    samples,
    moreIsBetter: [': received'],
  };
}

export const HTTP_FAN_OUT: Bench = {
  name: 'http-fan-out',
  description:
    'The CPU of a server per delivery over HTTP, and the age of updates at 50 a second to 1,000 clients and 5 a second to 10,000 (50 to 200 with --quick)',
  isLong: true,
  run,
};
