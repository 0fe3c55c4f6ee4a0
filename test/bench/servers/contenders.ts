import { fileURLToPath } from 'node:url';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { freePort } from '../../support/free-port.ts';
import type { Contender, RunningServer, StartOptions } from './contender.ts';
import { startRelayCluster } from './relay-cluster.ts';
import { ServerProcess } from './server-process.ts';

/** Starts one of the servers beside this file. */
async function startOwn(file: string, { redisUrl, nodeArgs = [] }: StartOptions, hears: boolean) {
  const port = await freePort();
  const loader = fileURLToPath(new URL('../../support/typescript-loader.mjs', import.meta.url));
  const process = await ServerProcess.start({
    main: fileURLToPath(new URL(file, import.meta.url)),
    args: [...nodeArgs, '--import', loader],
    env: { REDIS_URL: redisUrl, PORT: String(port) },
    hears,
    isUp: (output) => output.includes('up\n'),
  });
  return { process, port };
}

/** One that only hands on texts: they are those of a relay. */
async function startPublisher(file: string, options: StartOptions): Promise<RunningServer> {
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

async function startRelay(options: StartOptions): Promise<RunningServer> {
  const cluster = await startRelayCluster(options);
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

/** uWebSockets.js alone: what the others are measured by. */
export const BASELINE: Contender = {
  name: 'bare uWebSockets.js',
  protocol: 'ws',
  greets: false,
  start: (options) => startPublisher('uws-server.ts', options),
};

export const RELAY: Contender = { name: 'Heliograph', protocol: 'ws', greets: true, start: startRelay };

export const LEGACY_RELAY: Contender = {
  name: 'Heliograph, /update_check',
  protocol: 'update_check',
  greets: false,
  start: startRelay,
};

const WS: Contender = {
  name: 'ws',
  protocol: 'ws',
  greets: false,
  start: (options) => startPublisher('ws-server.ts', options),
};

const SOCKET_IO: Contender = {
  name: 'Socket.IO with Redis',
  protocol: 'socket.io',
  greets: true,
  start: startSocketIo,
};

/** Whom the relays are compared with: those of another build, where its folder is named, else what others use. */
export function comparedWith(relays: readonly Contender[], against: string | undefined): readonly Contender[] {
  if (against === undefined) return [WS, SOCKET_IO];
  return relays.map((relay) => ({
    ...relay,
    name: `${relay.name}, the other build`,
    start: (options) => relay.start({ ...options, build: against }),
  }));
}
