import { Redis } from 'ioredis';
import { parseTopic } from '../../../services/shared/update/topic.ts';
import type { UpdateBody } from '../../../services/shared/update/update.ts';
import { encodeBody } from '../../../services/shared/update/update-codec.ts';
import { updateBody } from '../../support/update-body.ts';
import { OTHER_BUILD } from '../compare-builds.ts';
import { THIS_BUILD } from '../servers/relay-cluster.ts';
import { collect, ratios, type Samples, showSummary, summarize } from '../statistics.ts';
import { rotate } from '../test-bed.ts';
import { type ConnectedPublisher, connectPublisher } from './connect-publisher.ts';
import { mainThreadCpuUs } from './main-thread.ts';
import type { MeasurePart, Row } from './part.ts';

/** Calls in flight, as in a busy webhook: their commands share reads and writes of the sockets. */
const AT_ONCE = 16;
const TOPICS = 1000;
const TOPICS_PER_CALL = 10;
const DATA_BYTES = [0, 100, 4096];

/** Measures an update against a plain PUBLISH of the same payload. */
export const measurePublishCost: MeasurePart = async ({ redis, quick, against, progress }, samples) => {
  const [rounds, updates] = quick ? [3, 800] : [7, 3200];
  const env = { REDIS_URL: redis.url, PARTITIONS: '1' };
  const plain = new Redis(redis.url, { retryStrategy: () => null });
  plain.on('error', () => {}); // its calls fail
  const contenders: {
    readonly name: string;
    readonly publish: ConnectedPublisher['publish'];
    stop(): Promise<unknown>;
  }[] = [
    {
      name: 'PUBLISH',
      async publish([topic = ''], body) {
        await plain.publish(`heliograph:{0}:update:${topic}`, `${Date.now()}000 ${encodeBody(body)}`);
      },
      stop: () => plain.quit(),
    },
    { name: 'update', ...(await connectPublisher(THIS_BUILD, env)) },
  ];
  if (against !== undefined)
    contenders.push({ name: `update${OTHER_BUILD}`, ...(await connectPublisher(against, env)) });
  let next = 0;
  const nextTopic = () => {
    next += 1;
    return parseTopic(`chat/${next % TOPICS}`);
  };
  /** Returns the CPU of Redis per update, in microseconds. */
  const cpuUs = async (publish: ConnectedPublisher['publish'], body: UpdateBody, topicsPerCall: number) => {
    const before = mainThreadCpuUs(redis.pid);
    for (let sent = 0; sent < updates; sent += AT_ONCE * topicsPerCall) {
      const calls = Array.from({ length: AT_ONCE }, () => Array.from({ length: topicsPerCall }, nextTopic));
      await Promise.all(calls.map((topics) => publish(topics, body)));
    }
    return (mainThreadCpuUs(redis.pid) - before) / updates;
  };
  const named = (name: string, bytes: number) => `${name}, ${bytes === 0 ? 'no data' : `${bytes} B of data`}`;
  const together = `update, ${TOPICS_PER_CALL} topics in a call`;
  try {
    for (let round = 0; round <= rounds; round += 1) {
      progress(`updates: round ${round} of ${rounds}`);
      const into: Samples = round === 0 ? {} : samples; // the first round warms up
      for (const bytes of DATA_BYTES) {
        const body = bytes === 0 ? {} : updateBody({ data: 'x'.repeat(bytes - 2) });
        for (const { name, publish } of rotate(contenders, round))
          collect(into, named(name, bytes), await cpuUs(publish, body, 1));
      }
      const own = contenders[1];
      if (own)
        collect(
          into,
          named(together, 100),
          await cpuUs(own.publish, updateBody({ data: 'x'.repeat(98) }), TOPICS_PER_CALL),
        );
    }
  } finally {
    await Promise.all(contenders.map(({ stop }) => stop()));
  }
  const ratiosOf = (name: string, bytes: number) =>
    ratios(samples[named(name, bytes)], samples[named('PUBLISH', bytes)]);
  const row = (name: string, bytes: number): Row => [
    named(name, bytes),
    `${showSummary(samples[named(name, bytes)], 1)} µs of Redis`,
    name === 'PUBLISH' ? '' : `PUBLISH: ${showSummary(ratiosOf(name, bytes), 2)}`,
  ];
  return {
    rows: [...DATA_BYTES.flatMap((bytes) => contenders.map(({ name }) => row(name, bytes))), row(together, 100)],
    goals: [0, 100].map((bytes) => ({
      description: `CPU of Redis for an update with ${bytes} B of data, relative to PUBLISH`,
      atMost: 2.5,
      measured: summarize(ratiosOf('update', bytes)).median,
    })),
  };
};
