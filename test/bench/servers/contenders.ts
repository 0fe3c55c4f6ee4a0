import { fileURLToPath } from 'node:url';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { freePort } from '../../support/free-port.ts';
import { OTHER_BUILD } from '../compare-builds.ts';
import type { Contender, RunningServer, StartOptions } from './contender.ts';
import { startRelayCluster } from './relay-cluster.ts';
import { ServerProcess } from './server-process.ts';

/** Starts one of the servers in this folder. */
async function startOwn(file: string, options: StartOptions & { pingIntervalS?: number }, hasChannel: boolean) {
  const { redisUrl, nodeArgs = [], pingIntervalS = 0 } = options;
  const port = await freePort();
  const loader = fileURLToPath(new URL('../../support/typescript-loader.mjs', import.meta.url));
  const process = await ServerProcess.start({
    main: fileURLToPath(new URL(file, import.meta.url)),
    args: [...nodeArgs, '--import', loader],
    env: { REDIS_URL: redisUrl, PORT: String(port), PING_INTERVAL_S: String(pingIntervalS) },
    hasChannel,
    isUp: (output) => output.includes('up\n'),
  });
  return { process, port };
}

/** Starts a server that only forwards texts; they equal those of a relay. It pings its clients only if `pingIntervalS` is given. */
export async function startPublisher(
  file: string,
  options: StartOptions & { pingIntervalS?: number },
): Promise<RunningServer> {
  const { process, port } = await startOwn(file, options, true);
  return {
    process,
    port,
    async publish(topic, data) {
      process.send({ topic, text: JSON.stringify({ type: 'update', topic, version: Date.now() * 1000, data }) });
    },
    stop: () => process.stop(),
  };
}

/** Starts a relay with further settings. */
export async function startRelay(
  options: StartOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const cluster = await startRelayCluster({ ...options, env });
  const relay = await cluster.addRelay();
  return { ...relay, stop: () => cluster.stop() };
}

async function startSocketIo(options: StartOptions): Promise<RunningServer> {
  const { process, port } = await startOwn('socket-io-server.ts', options, false);
  const redis = new Redis(options.redisUrl);
  const subscriber = redis.duplicate();
  const otherNode = new Server({ adapter: createAdapter(redis, subscriber) });
  return {
    process,
    port,
    async publish(topic, data) {
      otherNode.to(topic).emit('update', { topic, version: Date.now() * 1000, data });
    },
    async stop() {
      redis.disconnect();
      subscriber.disconnect();
      await process.stop();
    },
  };
}

/** Bare uWebSockets.js, the baseline. */
export const BASELINE: Contender = {
  name: 'bare uWebSockets.js',
  protocol: 'websocket',
  confirmsSubscription: false,
  start: (options) => startPublisher('uws-server.ts', options),
};

export const RELAY: Contender = {
  name: 'Heliograph',
  protocol: 'websocket',
  confirmsSubscription: true,
  start: (options) => startRelay(options),
};

/** A relay on `node:http` and `ws`. */
export const NODE_RELAY: Contender = {
  name: 'Heliograph, RELAY_ENGINE=node',
  protocol: 'websocket',
  confirmsSubscription: true,
  start: (options) => startRelay(options, { RELAY_ENGINE: 'node' }),
};

export const LEGACY_RELAY: Contender = {
  name: 'Heliograph, /update_check',
  protocol: 'legacy',
  confirmsSubscription: false,
  start: (options) => startRelay(options),
};

const WS: Contender = {
  name: 'ws',
  protocol: 'websocket',
  confirmsSubscription: false,
  start: (options) => startPublisher('ws-server.ts', options),
};

const SOCKET_IO: Contender = {
  name: 'Socket.IO with Redis',
  protocol: 'socket.io',
  confirmsSubscription: true,
  start: startSocketIo,
};

/** Returns the contenders to compare the relays with: those of another build if its folder is given, otherwise ws and Socket.IO. */
export function comparedWith(relays: readonly Contender[], against: string | undefined): readonly Contender[] {
  return against === undefined ? [WS, SOCKET_IO] : ofOtherBuild(relays, against);
}

/** Returns the same relays of another build; none without its folder. */
export function ofOtherBuild(relays: readonly Contender[], against: string | undefined): readonly Contender[] {
  if (against === undefined) return [];
  return relays.map((relay) => ({
    ...relay,
    name: `${relay.name}${OTHER_BUILD}`,
    start: (options) => relay.start({ ...options, build: against }),
  }));
}
