import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { BASELINE, comparedWith, RELAY } from './servers/contenders.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';
import { TestBed } from './test-bed.ts';

const RELAYS = [RELAY];
const OVERLOAD_FACTOR = 4;
const PADDING_BYTES = 1000;
const PARTS = 3;
const MIB = 1024 * 1024;

/** Measures the sustainable rate, publishes at a multiple of it, and records the age of received updates in each third of the time. */
async function overload(bed: TestBed, options: { clients: number; seconds: number; samples: Samples }): Promise<void> {
  const { clients, seconds, samples } = options;
  const { name } = bed;
  const perSecond = await updatesPerSecond(bed, { clients, seconds: seconds / PARTS });
  collect(samples, `${name}: can send`, perSecond);
  await bed.clients.takeAges();
  for (let part = 1; part <= PARTS; part += 1) {
    await bed.publishAtRate({
      perSecond: perSecond * OVERLOAD_FACTOR,
      seconds: seconds / PARTS,
      paddingBytes: PADDING_BYTES,
    });
    const { ages } = await bed.clients.takeAges();
    collect(samples, `${name}: age ${part}`, ages.quantile(0.5));
    collect(samples, `${name}: oldest ${part}`, ages.quantile(0.99));
    collect(samples, `${name}: resident ${part}`, bed.server.process.residentBytes / MIB);
  }
}

async function updatesPerSecond(bed: TestBed, options: { clients: number; seconds: number }): Promise<number> {
  const startedMs = performance.now();
  let updates = 0;
  while (performance.now() - startedMs < options.seconds * 1000) {
    await bed.publishInTurn(1, options.clients, PADDING_BYTES);
    updates += 1;
  }
  return (updates / (performance.now() - startedMs)) * 1000;
}

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const contenders = [BASELINE, ...RELAYS, ...comparedWith(RELAYS, against)];
  const clients = quick ? 300 : 2000;
  const rounds = quick ? 1 : 3;
  const seconds = quick ? 3 : 6;
  const samples: Samples = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) {
      progress(`round ${round + 1} of ${rounds}: ${contender.name}`);
      const bed = await TestBed.start(contender, { redisUrl: redis.url });
      try {
        await bed.connect(clients);
        await overload(bed, { clients, seconds, samples });
      } finally {
        await bed.stop();
      }
    }
  }
  const show = (name: string, value: string) => showSummary(samples[`${name}: ${value}`], 0);
  const growth = (value: string) => {
    const [first, last] = [samples[`${RELAY.name}: ${value} 1`], samples[`${RELAY.name}: ${value} ${PARTS}`]].map(
      (values) => summarize(values).median,
    );
    return (last ?? Number.NaN) / (first ?? Number.NaN);
  };
  return {
    columns: [
      'server',
      'sustainable, updates/s',
      'median age in the first third, ms',
      'in the last third, ms',
      'p99 in the last third, ms',
      'memory in the first third, MiB',
      'in the last third, MiB',
    ],
    rows: contenders.map(({ name }) => [
      name,
      show(name, 'can send'),
      show(name, 'age 1'),
      show(name, `age ${PARTS}`),
      show(name, `oldest ${PARTS}`),
      show(name, 'resident 1'),
      show(name, `resident ${PARTS}`),
    ]),
    goals: [
      { description: 'age under overload, last third relative to first', atMost: 1.5, measured: growth('age') },
      {
        description: 'memory under overload, last third relative to first',
        atMost: 1.25,
        measured: growth('resident'),
      },
    ],
    samples,
    moreIsBetter: [': can send'],
  };
}

export const OVERLOAD: Bench = {
  name: 'overload',
  description: `The age of the updates that 2,000 clients receive at ${OVERLOAD_FACTOR} times the rate at which each update can be sent to all of them (300 with --quick)`,
  run,
};
