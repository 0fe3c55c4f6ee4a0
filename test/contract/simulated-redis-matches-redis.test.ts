import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { Broker, Digest, Witness } from '../../services/shared/broker/broker.ts';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { createSimulatedCluster } from '../simulator/create-simulated-cluster.ts';
import type { Meta } from '../simulator/redis-data.ts';
import { SeededRandom } from '../simulator/seeded-random.ts';
import { SimulatedBroker } from '../simulator/simulated-broker.ts';
import type { SimulatedServer } from '../simulator/simulated-server.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { updateBody } from '../support/update-body.ts';

const TOPICS = ['a', 'b', 'c'] as Topic[];
/** A version so far ahead of the time that every version depends on it, and not on the clocks. */
const AHEAD_US = 4_000_000_000_000_000;

/** The time of both servers, in seconds: floors depend on it. */
const TIME_S = vi.hoisted(() => 1_790_000_000);

/** Makes the scripts use that time instead of the server's. */
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const readFileSync = (file: string | URL, encoding: BufferEncoding) =>
    fs.readFileSync(file, encoding).replaceAll("redis.call('TIME')", `{ ${TIME_S}, 0 }`);
  return { ...fs, readFileSync };
});

const PUBLISHER = 'publisher';
const LOSSES = [
  'lose meta',
  'lose recent',
  'change epoch',
  'change replication id',
  'load data',
  'load older data',
] as const;
const NO_META: Meta = {
  floor: 0,
  last: 0,
  history: '',
  raise: '',
  trimmed: undefined,
  server: '',
  loaded: -1,
  covered: new Map(),
  published: new Map(),
};

/** The epoch in a caller's witness: none, the current one, another one, or both. */
type Seen = 'nothing' | 'this' | 'another' | 'both';

/** The raise in a caller's witness: none, or one of those that digests have contained. */
type Known = 'none' | 'first' | 'last';

/** A version near the newest one, or near the first one. */
interface Near {
  readonly what: 'first' | 'newest';
  readonly plus: number;
}

interface Caller {
  readonly seen: Seen;
  /** Its newest acknowledgement; 0 if it has none. */
  readonly acknowledged: number;
  readonly version: Near;
  readonly raise: Known;
  /** Whether it publishes, and has acknowledged its witness's version. */
  readonly publishes: boolean;
}

type Step =
  | ({ readonly kind: 'publish'; readonly topic: Topic } & Caller)
  | ({ readonly kind: 'digest'; readonly cursor: Near } & Caller)
  | ({ readonly kind: 'probe' } & Caller)
  | { readonly kind: 'read' }
  | { readonly kind: (typeof LOSSES)[number] }
  | { readonly kind: 'lose register'; readonly topic: Topic };

const seen = fc.constantFrom<Seen>('nothing', 'this', 'this', 'another', 'both');
const versions = fc.record({ what: fc.constantFrom('first', 'newest'), plus: fc.nat({ max: 200 }) });
const caller = {
  seen,
  acknowledged: fc.nat({ max: 4 }),
  version: versions,
  raise: fc.constantFrom<Known>('none', 'none', 'first', 'last'),
  publishes: fc.boolean(),
};
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('publish'), topic: fc.constantFrom(...TOPICS), ...caller }),
    fc.record({ kind: fc.constant('digest'), cursor: versions, ...caller }),
    fc.record({ kind: fc.constant('probe'), ...caller, publishes: fc.constant(false) }),
    fc.record({ kind: fc.constantFrom('read', ...LOSSES) }),
    fc.record({ kind: fc.constant('lose register'), topic: fc.constantFrom(...TOPICS) }),
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 25 },
);

/** One of the two brokers that are compared. */
interface Side {
  readonly broker: Omit<Broker, 'receipts'>;
  lose(step: Step): Promise<void>;
  end(): Promise<void>;
}

describe('the simulated Redis', () => {
  let redis: Redis;
  let epoch: string;

  beforeAll(async () => {
    redis = new Redis(inject('redisUrl'));
    const { broker, end } = await connectReal();
    epoch = (await broker.digest(0, { epoch: '', version: 0 }, 0)).epoch;
    await end();
  });

  afterAll(() => {
    redis.disconnect();
  });

  /** Connects to Redis. Each run has a prefix of its own. */
  async function connectReal(): Promise<Side> {
    const prefix = randomPrefix();
    const config = requireRedisConfig(
      new EnvReader({ REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: prefix, PARTITIONS: '1' }),
    );
    const broker = new RedisBroker({ config, report: SILENT_REPORT, abort() {}, restoreTimeMs: 0 });
    await broker.start();
    const keys = new RedisKeys({ prefix, partitions: 1 });
    return {
      broker,
      async lose(step: Step) {
        if (step.kind === 'lose meta') await redis.del(keys.meta(0));
        if (step.kind === 'lose recent') await redis.del(keys.recent(0));
        if (step.kind === 'lose register') await redis.del(keys.register(step.topic));
        if (step.kind === 'change epoch') await redis.hset(keys.meta(0), { history: 'gone', server: 'gone' });
        if (step.kind === 'change replication id')
          await redis.hset(keys.meta(0), 'server', `${epoch.split('.')[0]}.former`);
        if (step.kind === 'load data' && (await redis.exists(keys.meta(0))))
          await redis.hset(keys.meta(0), 'loaded', -1);
        if (step.kind === 'load older data') await redis.hdel(keys.meta(0), `published:${PUBLISHER}`);
      },
      async end() {
        await broker.stop();
        const all = [keys.config(), keys.meta(0), keys.recent(0), ...TOPICS.map((topic) => keys.register(topic))];
        await redis.del(...all);
      },
    };
  }

  /** Connects to a simulated server with the same epoch, on which versions depend. */
  async function connectSimulated(): Promise<Side> {
    const cluster = createSimulatedCluster({
      clock: SYSTEM_CLOCK,
      random: new SeededRandom(1),
      partitions: 1,
      shards: 1,
    });
    cluster.network.latencyMs = 0;
    const master = cluster.shards[0]?.master as SimulatedServer;
    master.impersonate(epoch);
    vi.spyOn(master, 'nextNowUs').mockReturnValue(TIME_S * 1_000_000);
    const broker = new SimulatedBroker({ name: 'process', cluster, clock: SYSTEM_CLOCK, storeSettingsAfterMs: 0 });
    await broker.start();
    return {
      broker,
      async lose(step: Step) {
        master.write((all) => {
          const data = all.partition(0);
          if (step.kind === 'lose meta') data.meta = undefined;
          if (step.kind === 'lose recent') data.recent.clear();
          if (step.kind === 'lose register') data.registers.delete(step.topic);
          if (step.kind === 'change epoch') data.meta = { ...(data.meta ?? NO_META), history: 'gone', server: 'gone' };
          if (step.kind === 'change replication id')
            data.meta = { ...(data.meta ?? NO_META), server: `${epoch.split('.')[0]}.former` };
          if (step.kind === 'load data' && data.meta) data.meta = { ...data.meta, loaded: -1 };
          if (step.kind === 'load older data' && data.meta) {
            const published = new Map(data.meta.published);
            published.delete(PUBLISHER);
            data.meta = { ...data.meta, published };
          }
        });
      },
      end: () => broker.stop(),
    };
  }

  /** Runs the steps and returns the replies, without those parts that depend on the clock alone. */
  async function run(list: readonly Step[], side: Side): Promise<unknown[]> {
    const { broker } = side;
    const all: unknown[] = [];
    // Puts the clock behind the versions from the first step on.
    const first = await broker.publish('first' as Topic, {}, { epoch: '', version: AHEAD_US });
    const raises: string[] = [];
    let newest = first.version;
    const near = ({ what, plus }: Near): Version => (what === 'first' ? AHEAD_US : newest) + plus;
    const witness = ({ seen: name, acknowledged, version, raise, publishes }: Caller): Witness => ({
      epoch: { nothing: '', this: first.epoch, another: 'another', both: `another ${first.epoch}` }[name],
      version: near(version),
      ...(acknowledged > 0 && { acknowledged: [acknowledged, acknowledged + 1] }),
      raiseId: (raise === 'none' ? '' : raise === 'first' ? raises[0] : raises.at(-1)) ?? '',
      ...(publishes && { promised: { publisher: PUBLISHER, version: near(version) } }),
    });
    for (const step of list) {
      if (step.kind === 'publish') {
        const body = updateBody({ data: all.length });
        const { version, epoch, previous, assignedBefore } = await broker.publish(step.topic, body, witness(step));
        newest = version;
        all.push({ version, previous, assignedBefore, same: epoch === first.epoch });
      } else if (step.kind === 'digest') {
        const { epoch, raiseId, ...rest }: Digest = await broker.digest(0, witness(step), near(step.cursor));
        newest = rest.last;
        if (!raises.includes(raiseId)) raises.push(raiseId);
        all.push({ ...rest, raise: raises.indexOf(raiseId), same: epoch === first.epoch });
      } else if (step.kind === 'probe') {
        const { epoch, raiseId, signals, ...rest } = await broker.probe(0, witness({ ...step, acknowledged: 0 }), 0);
        newest = rest.last;
        if (!raises.includes(raiseId)) raises.push(raiseId);
        all.push({ ...rest, signals, raise: raises.indexOf(raiseId), same: epoch === first.epoch });
      } else if (step.kind === 'read') all.push(await broker.read(TOPICS));
      else await side.lose(step);
    }
    return all;
  }

  it('replies as the scripts in Redis do, whatever is called and lost', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const [real, simulated] = [await connectReal(), await connectSimulated()];
        try {
          expect(await run(list, simulated)).toEqual(await run(list, real));
        } finally {
          await real.end();
          await simulated.end();
        }
      }),
      { numRuns: 40 },
    );
  });
});
