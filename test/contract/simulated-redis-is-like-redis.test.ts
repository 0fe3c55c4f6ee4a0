import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
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
import { SeededRandom } from '../simulator/seeded-random.ts';
import { SimulatedBroker } from '../simulator/simulated-broker.ts';
import { randomPrefix } from '../support/random-prefix.ts';

const TOPICS = ['a', 'b', 'c'] as Topic[];
/** Versions so far ahead of the time that they, and not the clocks, decide every number. */
const AHEAD_US = 4_000_000_000_000_000;

/** Which history a caller says it has seen: none, the one that is there, or one that is gone, or was promised under. */
type Seen = 'nothing' | 'this' | 'another' | 'a promise of another';

/** Which raise of the floor it says it knows, of those that digests have named. */
type Known = 'none' | 'first' | 'last';

/** A version near those that are given now, or near the first ones. */
interface Near {
  readonly what: 'first' | 'newest';
  readonly plus: number;
}

interface Caller {
  readonly seen: Seen;
  readonly version: Near;
  readonly raise: Known;
}

type Step =
  | ({ readonly kind: 'publish'; readonly topic: Topic } & Caller)
  | ({ readonly kind: 'digest'; readonly cursor: Near } & Caller)
  | { readonly kind: 'read' }
  | { readonly kind: 'lose meta' | 'lose recent' | 'change history' }
  | { readonly kind: 'lose register'; readonly topic: Topic };

const seen = fc.constantFrom<Seen>('nothing', 'this', 'this', 'another', 'a promise of another');
const versions = fc.record({ what: fc.constantFrom('first', 'newest'), plus: fc.nat({ max: 200 }) });
const caller = { seen, version: versions, raise: fc.constantFrom<Known>('none', 'first', 'last') };
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('publish'), topic: fc.constantFrom(...TOPICS), ...caller }),
    fc.record({ kind: fc.constant('digest'), cursor: versions, ...caller }),
    fc.record({ kind: fc.constantFrom('read', 'lose meta', 'lose recent', 'change history') }),
    fc.record({ kind: fc.constant('lose register'), topic: fc.constantFrom(...TOPICS) }),
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 25 },
);

/** One of the two that are compared. */
interface Side {
  readonly broker: Omit<Broker, 'receipts'>;
  lose(step: Step): Promise<void>;
  end(): Promise<void>;
}

describe('the simulated Redis', () => {
  let redis: Redis;
  let history: string;

  beforeAll(async () => {
    redis = new Redis(inject('redisUrl'));
    const { broker, end } = await connectReal();
    history = (await broker.digest(0, { epoch: '', version: 0 }, 0)).epoch;
    await end();
  });

  afterAll(() => {
    redis.disconnect();
  });

  /** The real one, with what loses its data; each run has a prefix of its own. */
  async function connectReal(): Promise<Side> {
    const prefix = randomPrefix();
    const config = requireRedisConfig(
      new EnvReader({ REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: prefix, PARTITIONS: '1' }),
    );
    const broker = new RedisBroker({ config, report: SILENT_REPORT, abort() {} });
    await broker.start();
    const keys = new RedisKeys({ prefix, partitions: 1 });
    return {
      broker,
      async lose(step: Step) {
        if (step.kind === 'lose meta') await redis.del(keys.meta(0));
        if (step.kind === 'lose recent') await redis.del(keys.recent(0));
        if (step.kind === 'lose register') await redis.del(keys.register(step.topic));
        if (step.kind === 'change history') await redis.hset(keys.meta(0), 'history', 'gone');
      },
      async end() {
        await broker.stop();
        const all = [keys.config(), keys.meta(0), keys.recent(0), ...TOPICS.map((topic) => keys.register(topic))];
        await redis.del(...all);
      },
    };
  }

  /** The simulated one, which takes itself for the same server: numbers depend on that. */
  async function connectSimulated(): Promise<Side> {
    const cluster = createSimulatedCluster({
      clock: SYSTEM_CLOCK,
      random: new SeededRandom(1),
      partitions: 1,
      shards: 1,
    });
    cluster.network.latencyMs = 0;
    cluster.shards[0]?.master.impersonate(history);
    const broker = new SimulatedBroker({ name: 'process', cluster, clock: SYSTEM_CLOCK });
    await broker.start();
    return {
      broker,
      async lose(step: Step) {
        cluster.shards[0]?.master.write((all) => {
          const data = all.partition(0);
          if (step.kind === 'lose meta') data.meta = undefined;
          if (step.kind === 'lose recent') data.recent.clear();
          if (step.kind === 'lose register') data.registers.delete(step.topic);
          if (step.kind === 'change history')
            data.meta = { floor: 0, last: 0, raise: '', trimmed: undefined, ...data.meta, history: 'gone' };
        });
      },
      end: () => broker.stop(),
    };
  }

  /** What a side answers to the steps, without what the wall clock alone decides. */
  async function answers(list: readonly Step[], side: Side): Promise<unknown[]> {
    const { broker } = side;
    const all: unknown[] = [];
    // So that the clock is behind from the first step on.
    const first = await broker.publish('first' as Topic, {}, { epoch: '', version: AHEAD_US });
    const raises: string[] = [];
    let newest = first.version;
    const near = ({ what, plus }: Near): Version => (what === 'first' ? AHEAD_US : newest) + plus;
    const witness = ({ seen: name, version, raise }: Caller): Witness => ({
      epoch: name === 'nothing' ? '' : name === 'this' ? first.epoch : 'another',
      version: near(version),
      acknowledged: name === 'a promise of another',
      raiseId: (raise === 'none' ? '' : raise === 'first' ? raises[0] : raises.at(-1)) ?? '',
    });
    for (const step of list) {
      if (step.kind === 'publish') {
        const { version, epoch } = await broker.publish(step.topic, { data: all.length }, witness(step));
        newest = version;
        all.push({ version, same: epoch === first.epoch });
      } else if (step.kind === 'digest') {
        const { epoch, raiseId, ...rest }: Digest = await broker.digest(0, witness(step), near(step.cursor));
        newest = rest.last;
        if (!raises.includes(raiseId)) raises.push(raiseId);
        all.push({ ...rest, raise: raises.indexOf(raiseId), same: epoch === first.epoch });
      } else if (step.kind === 'read') all.push(await broker.read(TOPICS));
      else await side.lose(step);
    }
    return all;
  }

  it('answers as the scripts in Redis do, whatever is asked and lost', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const [real, simulated] = [await connectReal(), await connectSimulated()];
        try {
          expect(await answers(list, simulated)).toEqual(await answers(list, real));
        } finally {
          await real.end();
          await simulated.end();
        }
      }),
      { numRuns: 40 },
    );
  });
});
