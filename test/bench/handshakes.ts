import { JWT_SECRET, signToken } from '../support/tokens.ts';
import type { Bench, BenchContext, BenchResult } from './bench.ts';
import type { Contender } from './servers/contender.ts';
import { BASELINE, comparedWith, LEGACY_RELAY, RELAY, startRelay } from './servers/contenders.ts';
import { collect, prefixed, ratios, type Samples, showSummary } from './statistics.ts';
import { pause, rotate, withTestBeds } from './test-bed.ts';

const SETTLE_MS = 500;
const MANY_TOPICS = 16;

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const tokenRelay: Contender = {
    ...RELAY,
    name: `${RELAY.name}, with a token`,
    plan: { token: await signToken({ topics: ['*'] }) },
    start: (options) => startRelay(options, { SUBSCRIBE_AUTH: 'required', JWT_SECRET }),
  };
  const relays = [RELAY, LEGACY_RELAY, tokenRelay];
  const contenders = [BASELINE, ...relays, ...comparedWith(relays, against)];
  const variants = contenders.flatMap(({ name: server, protocol }) => {
    const one = { server, topics: 1, name: server };
    return protocol === 'websocket' ? [one, { server, topics: MANY_TOPICS, name: `${server}, 16 topics` }] : [one];
  });
  const clients = quick ? 500 : 3000;
  const rounds = quick ? 2 : 6;
  const cpu: Samples = {};
  const perSecond: Samples = {};
  await withTestBeds(contenders, { redisUrl: redis.url }, async (beds) => {
    // Round -1 is a warm-up.
    for (let round = -1; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}`);
      for (const { server, name, topics } of rotate(variants, round + 1)) {
        const bed = beds.find((candidate) => candidate.name === server);
        if (!bed) continue;
        const startedMs = performance.now();
        const cpuUs = await bed.cpuUs(() => bed.connect(clients, { topics, topicsPerClient: topics }));
        const seconds = (performance.now() - startedMs) / 1000;
        await bed.clients.disconnect();
        await pause(SETTLE_MS);
        if (round < 0) continue;
        collect(cpu, name, cpuUs / clients);
        collect(perSecond, name, clients / seconds);
      }
    }
  });
  const baseOf = (topics: number) => variants.find((each) => each.server === BASELINE.name && each.topics === topics);
  return {
    columns: [
      'server',
      'CPU per handshake, µs',
      'relative to the baseline with as many topics',
      'handshakes per second with these clients',
    ],
    rows: variants.map(({ name, topics }) => [
      name,
      showSummary(cpu[name], 0),
      showSummary(ratios(cpu[name], cpu[baseOf(topics)?.name ?? '']), 2),
      showSummary(perSecond[name], 0),
    ]),
    goals: [],
    samples: { ...prefixed('CPU', cpu), ...prefixed('per second', perSecond) },
    moreIsBetter: ['per second: '],
  };
}

export const HANDSHAKES: Bench = {
  name: 'handshakes',
  description:
    'The CPU to accept 3,000 clients that connect at once, each with one topic or 16 (500 clients with --quick)',
  run,
};
