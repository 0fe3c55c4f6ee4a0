import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { ofOtherBuild } from './servers/contenders.ts';
import { TLS_CONTENDERS } from './servers/tls-contenders.ts';
import { collect, prefixed, ratios, type Samples, showSummary } from './statistics.ts';
import { pause, rotate, SMALL_YOUNG_GENERATION, TestBed } from './test-bed.ts';

const SETTLE_MS = 1000;
const KIB = 1024;

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const [first, more] = quick ? [200, 300] : [1000, 4000];
  const rounds = quick ? 1 : 3;
  const updates = quick ? 10 : 30;
  const contenders = [...TLS_CONTENDERS, ...ofOtherBuild(TLS_CONTENDERS.slice(0, 2), against)];
  const memory: Samples = {};
  const handshake: Samples = {};
  const delivery: Samples = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of rotate(contenders, round)) {
      const { name } = contender;
      progress(`round ${round + 1} of ${rounds}: ${name}`);
      const bed = await TestBed.start(contender, { redisUrl: redis.url, nodeArgs: SMALL_YOUNG_GENERATION });
      const residentBytes = async () => {
        await pause(SETTLE_MS);
        return (await bed.server.process.memory()).rss;
      };
      try {
        // The first clients also cause one-time allocations.
        await bed.connect(first);
        const before = await residentBytes();
        const cpuUs = await bed.cpuUs(() => bed.connect(more));
        collect(handshake, name, cpuUs / more);
        collect(memory, name, ((await residentBytes()) - before) / more / KIB);
        await bed.publishInTurn(3, first + more);
        const sendUs = await bed.cpuUs(() => bed.publishInTurn(updates, first + more));
        collect(delivery, name, sendUs / (updates * (first + more)));
      } finally {
        await bed.stop();
      }
    }
  }
  const [base] = TLS_CONTENDERS.map(({ name }) => name);
  return {
    columns: [
      'server',
      'memory per idle client, KiB',
      'CPU per handshake, µs',
      'CPU per delivery, µs',
      'relative to no TLS',
    ],
    rows: contenders.map(({ name }) => [
      name,
      showSummary(memory[name], 2),
      showSummary(handshake[name], 0),
      showSummary(delivery[name], 1),
      showSummary(ratios(delivery[name], delivery[base ?? '']), 2),
    ]),
    goals: [],
    samples: { ...prefixed('memory', memory), ...prefixed('handshake', handshake), ...prefixed('delivery', delivery) },
  };
}

export const TLS: Bench = {
  name: 'tls',
  description:
    'What TLS costs in a relay, and in a proxy before it (together with the relay), with 5,000 clients of one topic (500 with --quick)',
  isLong: true,
  run,
};
