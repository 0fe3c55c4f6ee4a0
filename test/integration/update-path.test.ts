import type { TemplatedApp } from 'uWebSockets.js';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { BROKER_SCRIPTS } from '../../services/shared/broker/redis/redis-scripts.ts';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { eventually } from '../support/eventually.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { startRelay } from '../support/relay-fixture.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';

/** The most files that an update may pass on its way from a publisher's call to a frame. */
const MAX_FILES = 14;
const SCRIPTS = 'shared/broker/redis/scripts';

/** Extends the client of ioredis: that it writes the commands of a turn together is a matter of the library. */
const REDIS_CLIENT = 'shared/broker/redis/redis-client.ts';
const ENCODER = 'shared/protocol/server-message.ts';

/** Called at each encoding of an update. */
const encoding = vi.hoisted(() => vi.fn());
vi.mock('../../services/shared/protocol/server-message.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../services/shared/protocol/server-message.ts')>();
  return {
    ...original,
    encodeUpdateMessage(...args: Parameters<typeof original.encodeUpdateMessage>) {
      encoding();
      return original.encodeUpdateMessage(...args);
    },
  };
});

const readService = (path: string) => readFileSync(new URL(`../../services/${path}`, import.meta.url), 'utf8');

/** Returns the files of the table in `services/README.md` in its order. */
function documentedPath(): string[] {
  const [, section = ''] = /## The path of an update\n(.*?)\n## /s.exec(readService('README.md')) ?? [];
  const table = section.split('\n\n').find((block) => block.startsWith('| Step')) ?? '';
  return [...table.matchAll(/^\|[^|]+\| `([^`]+)` \|/gm)].map(([, path = '']) => path);
}

/** The files of `services` that were on the stack when an update was passed on, in the order of its way. */
class PathRecorder {
  readonly files: string[] = [];

  /** Adds the files of the current stack, outermost caller first. */
  record(): void {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 100;
    const stack = new Error('the stack').stack ?? '';
    Error.stackTraceLimit = limit;
    for (const [, path = ''] of [...stack.matchAll(/\/services\/([\w/-]+\.ts)/g)].reverse()) this.add(path);
  }

  add(path: string): void {
    if (path !== REDIS_CLIENT && !this.files.includes(path)) this.files.push(path);
  }
}

describe('the path of an update', () => {
  let recorder: PathRecorder;
  /** Whether the update is under way: nothing else happens on the relay and the webhook meanwhile. */
  let underWay = false;

  beforeEach(() => {
    recorder = new PathRecorder();
    underWay = false;
    recordRedisCommands();
    recordTurnEnds();
    recordFrames();
  });
  afterEach(() => void vi.restoreAllMocks());

  /** Records the call of the script, and which script that is. */
  function recordRedisCommands(): void {
    const text = readService(`${SCRIPTS}/publish.lua`);
    const sha = BROKER_SCRIPTS.find(({ lua }) => lua.endsWith(text))?.sha1;
    const { sendCommand } = Redis.prototype;
    vi.spyOn(Redis.prototype, 'sendCommand').mockImplementation(function (this: Redis, ...args) {
      const [command] = args;
      if (underWay && command.name === 'evalsha' && command.args[0] === sha) {
        recorder.record();
        recorder.add(`${SCRIPTS}/publish.lua`);
      }
      return sendCommand.apply(this, args);
    });
  }

  /** Records how the signal reaches the relay's registers, which wait for the end of the turn. */
  function recordTurnEnds(): void {
    const { atTurnEnd } = SYSTEM_CLOCK;
    vi.spyOn(SYSTEM_CLOCK, 'atTurnEnd').mockImplementation((callback) => {
      if (underWay) recorder.record();
      atTurnEnd(callback);
    });
  }

  /** Records the encoding of the update, and its hand-over to uWebSockets.js. */
  function recordFrames(): void {
    encoding.mockImplementation(() => {
      if (!underWay) return;
      recorder.record();
      recorder.add(ENCODER);
    });
    const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof import('uWebSockets.js');
    const createApp = uws.App;
    vi.spyOn(uws, 'App').mockImplementation((...args) => {
      const app: TemplatedApp = createApp(...args);
      const publish = app.publish.bind(app);
      app.publish = (...message) => {
        if (underWay) recorder.record();
        underWay = false; // what follows is telemetry
        return publish(...message);
      };
      return app;
    });
  }

  it(`leads through at most ${MAX_FILES} files, those that the map names, in that order`, async () => {
    const cluster = redisBrokers({ REDIS_URL: inject('redisUrl') });
    const [publisher, feed] = [cluster.connect(), cluster.connect()];
    await publisher.start();
    const webhook = await startWebhook({ broker: publisher });
    const relay = await startRelay({ ownBroker: feed, env: { REPAIR_INTERVAL: '60s' } });
    onTestFinished(async () => {
      await relay.stop();
      await webhook.stop();
      await publisher.stop();
      await cluster.close();
    });
    const client = await relay.connect('/ws?topic=chat');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));

    underWay = true;
    const response = await fetch(`${webhook.url}/webhook`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${WEBHOOK_TOKEN}`,
        'content-type': 'application/json',
        'webhook-id': 'update-path',
      },
      body: '{"topic":"chat"}',
    });
    expect(response.status).toBe(200);
    await eventually(() => expect(client.ofType('update')).toHaveLength(1));

    expect(recorder.files).toEqual(documentedPath());
    expect(recorder.files.length).toBeLessThanOrEqual(MAX_FILES);
  });
});
