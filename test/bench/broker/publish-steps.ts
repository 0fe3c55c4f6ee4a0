import { type ChainableCommander, Redis } from 'ioredis';
import { encodeBody } from '../../../services/shared/update/update-codec.ts';
import { updateBody } from '../../support/update-body.ts';
import { shortPrefix } from '../servers/short-prefix.ts';
import { collect, ratios, showSummary } from '../statistics.ts';
import { rotate } from '../test-bed.ts';
import { mainThreadCpuUs } from './main-thread.ts';
import type { MeasurePart } from './part.ts';

/** Commands that are sent together, so that the reads and writes of the sockets hardly count. */
const AT_ONCE = 16;
const TOPICS = 1000;
const DATA_BYTES = [0, 100, 4096];
const EPOCH = `${'a'.repeat(40)}.${'b'.repeat(40)}`;

/** What the script of an update does, one after the other, with the arguments of publish.lua. */
const BODY = 'local signal = ARGV[10]\n';
const STEPS: readonly (readonly [name: string, lua: string])[] = [
  [
    'assigns the version',
    `local publisher = 'published:' .. ARGV[7]
local meta = redis.call('HMGET', KEYS[1], 'floor', 'last', 'trimmed', 'server', 'history', publisher)
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local version = math.max(now, (tonumber(meta[2]) or 0) + 1, tonumber(ARGV[4]) + 1)
local text = string.format('%.0f', version)
redis.call('HSET', KEYS[1], 'last', text, publisher, text)
`,
  ],
  [
    'writes the register',
    `local previous = redis.call('HMGET', KEYS[3], 'version')[1]
redis.call('HSET', KEYS[3], 'version', text, 'body', '{}')
`,
  ],
  ['indexes it', "redis.call('ZADD', KEYS[2], text, KEYS[3])\n"],
  ['publishes the body', 'redis.call(ARGV[1], ARGV[2], signal)\n'],
  ['stores `data`', "if KEYS[4] then redis.call('SET', KEYS[4], signal, 'PX', ARGV[12]) end\n"],
];
const REPLY = "return { '', '', '0', text, text }";
const WITH_VERSION = "local signal = text .. ' ' .. ARGV[10]\n";

/** The step that the others are compared with. */
const WITHOUT_BODY = 'a script that is passed no body';

/** Adds a command with a body for a topic to a pipeline. */
type Add = (pipeline: ChainableCommander, topic: string, body: string) => unknown;

/** Measures what each part of an update costs Redis, by doing more and more of it. */
export const measurePublishSteps: MeasurePart = async ({ redis, quick, progress }, samples) => {
  const [rounds, updates] = quick ? [3, 800] : [9, 3200];
  const client = new Redis(redis.url, { retryStrategy: () => null });
  client.on('error', () => {}); // its calls fail
  const prefix = `${shortPrefix()}:{0}`;
  const load = async (lua: string) => String(await client.script('LOAD', lua));
  const script =
    (sha1: string, { passesBody = true } = {}): Add =>
    (pipeline, topic, body) => {
      const keys = [`${prefix}:meta`, `${prefix}:recent`, `${prefix}:topic:${topic}`];
      const channel = `${prefix}:update:${topic}`;
      const args = ['PUBLISH', channel, EPOCH, 0, '', '', 'publisher', 0, '=', passesBody ? body : '{}'];
      if (body !== '{}') {
        keys.push(`${prefix}:data:${topic}`);
        args.push('{}', 3_600_000);
      }
      return pipeline.evalsha(sha1, keys.length, ...keys, ...args);
    };
  const steps: (readonly [name: string, add: Add])[] = [
    ['`PUBLISH`', (pipeline, topic, body) => pipeline.publish(`${prefix}:update:${topic}`, `${Date.now()}000 ${body}`)],
    ['`SET` with a TTL', (pipeline, topic, body) => pipeline.set(`${prefix}:data:${topic}`, body, 'PX', 3_600_000)],
    [WITHOUT_BODY, script(await load('return 1'), { passesBody: false })],
    ['that is passed the body', script(await load('return 1'))],
  ];
  let done = '';
  for (const [name, lua] of STEPS) {
    done += lua;
    steps.push([`and ${name}`, script(await load(`${BODY}${done}${REPLY}`))]);
  }
  const [[, assign] = ['', ''], ...others] = STEPS;
  const whole = [assign, WITH_VERSION, ...others.map(([, lua]) => lua), REPLY].join('');
  steps.push(['and puts the version before it', script(await load(whole))]);
  const named = (name: string, bytes: number) => `step of an update, ${bytes} B of data: ${name}`;
  let sent = 0;
  try {
    for (let round = 0; round <= rounds; round += 1) {
      progress(`steps of an update: round ${round} of ${rounds}`);
      for (const bytes of DATA_BYTES) {
        const body = encodeBody(bytes === 0 ? {} : updateBody({ data: 'x'.repeat(bytes - 2) }));
        for (const [name, add] of rotate(steps, round)) {
          const before = mainThreadCpuUs(redis.pid);
          for (let i = 0; i < updates; i += AT_ONCE) {
            const pipeline = client.pipeline();
            for (let k = 0; k < AT_ONCE; k += 1) {
              sent += 1;
              add(pipeline, `chat/${sent % TOPICS}`, body);
            }
            for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
          }
          // The first round warms up.
          if (round > 0) collect(samples, named(name, bytes), (mainThreadCpuUs(redis.pid) - before) / updates);
        }
      }
    }
  } finally {
    await client.quit();
  }
  return {
    rows: DATA_BYTES.flatMap((bytes) =>
      steps.map(([name]) => [
        named(name, bytes),
        `${showSummary(samples[named(name, bytes)], 1)} µs of Redis`,
        `relative to ${WITHOUT_BODY}: ${showSummary(
          ratios(samples[named(name, bytes)], samples[named(WITHOUT_BODY, bytes)]),
          2,
        )}`,
      ]),
    ),
  };
};
