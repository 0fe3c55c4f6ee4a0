import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { BASELINE, comparedWith, RELAY } from './servers/contenders.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';
import { pause, TestBed } from './test-bed.ts';

const RELAYS = [RELAY];
const TOO_MUCH = 4;
const PADDING_BYTES = 1000;
const TICK_MS = 10;
const PARTS = 3;
const MIB = 1024 * 1024;

/** Measures what can be sent, then wants several times that, and looks how old what arrives is in each third of the time. */
async function overload(
  field: TestBed,
  options: { clients: number; seconds: number; samples: Samples },
): Promise<void> {
  const { clients, seconds, samples } = options;
  const { name } = field;
  const perSecond = await updatesPerSecond(field, { clients, seconds: seconds / PARTS });
  collect(samples, `${name}: can send`, perSecond);
  await field.clients.takeAges();
  const begunMs = performance.now();
  let published = 0;
  for (let part = 1; part <= PARTS; part += 1) {
    const endMs = begunMs + (part * seconds * 1000) / PARTS;
    while (performance.now() < endMs) {
      const due = ((performance.now() - begunMs) / 1000) * perSecond * TOO_MUCH;
      const batch: Promise<void>[] = [];
      for (; published < due; published += 1) batch.push(field.publish(PADDING_BYTES));
      await Promise.all(batch);
      await pause(TICK_MS);
    }
    const { ages } = await field.clients.takeAges();
    collect(samples, `${name}: age ${part}`, ages.quantile(0.5));
    collect(samples, `${name}: oldest ${part}`, ages.quantile(0.99));
    collect(samples, `${name}: resident ${part}`, field.server.process.residentBytes / MIB);
  }
}

async function updatesPerSecond(field: TestBed, options: { clients: number; seconds: number }): Promise<number> {
  const begunMs = performance.now();
  let updates = 0;
  while (performance.now() - begunMs < options.seconds * 1000) {
    await field.publishInTurn(1, options.clients, PADDING_BYTES);
    updates += 1;
  }
  return (updates / (performance.now() - begunMs)) * 1000;
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
      const field = await TestBed.start(contender, { redisUrl: redis.url });
      try {
        await field.connect(clients);
        await overload(field, { clients, seconds, samples });
      } finally {
        await field.stop();
      }
    }
  }
  const show = (name: string, what: string) => showSummary(samples[`${name}: ${what}`], 0);
  const growth = (what: string) => {
    const [first, last] = [samples[`${RELAY.name}: ${what} 1`], samples[`${RELAY.name}: ${what} ${PARTS}`]].map(
      (values) => summarize(values).median,
    );
    return (last ?? Number.NaN) / (first ?? Number.NaN);
  };
  return {
    columns: [
      'server',
      'sent, updates/s',
      'age in the first third, ms',
      'in the last third, ms',
      '99 % of them, ms',
      'memory, MiB',
      'at the end, MiB',
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
      { what: 'age under overload, last third against first', atMost: 1.5, measured: growth('age') },
      { what: 'memory under overload, last third against first', atMost: 1.25, measured: growth('resident') },
    ],
    samples,
  };
}

export const OVERLOAD: Bench = {
  name: 'overload',
  what: `How old what 2,000 clients receive is where ${TOO_MUCH} times as much is published as they were sent when each update waited for the one before (300 with --quick)`,
  run,
};
