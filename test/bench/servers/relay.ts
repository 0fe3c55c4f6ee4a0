import { fileURLToPath } from 'node:url';
import type { Broker } from '../../../services/shared/broker/broker.ts';
import { parseTopic } from '../../../services/shared/update/topic.ts';
import { freePort } from '../../support/free-port.ts';
import { randomPrefix } from '../../support/random-prefix.ts';
import { redisBrokers } from '../../support/redis-brokers.ts';
import type { RunningServer } from './contender.ts';
import { ServerProcess } from './server-process.ts';

/** A cluster of relays as they are shipped, on a prefix of its own. */
export interface RelayCluster {
  /** Publishes as a webhook does: by the script in Redis. */
  publish(topic: string, data: unknown): Promise<void>;
  /** Adds a relay; resolves once it is fresh. */
  addRelay(): Promise<RunningServer>;
  /** Stops all that belongs to it. */
  stop(): Promise<void>;
}

/** Starts a cluster without relays. */
export async function startRelayCluster(
  redisUrl: string,
  options: { nodeArgs?: readonly string[] } = {},
): Promise<RelayCluster> {
  const settings = { REDIS_URL: redisUrl, HELIOGRAPH_PREFIX: randomPrefix(), PARTITIONS: '16' };
  const broker: Broker = redisBrokers(settings).connect();
  await broker.start();
  const relays: RunningServer[] = [];
  const publish = async (topic: string, data: unknown) => {
    await broker.publish(parseTopic(topic), { data }, { history: '', version: 0 });
  };
  return {
    publish,
    async addRelay() {
      const process = await startRelayProcess(settings, options.nodeArgs ?? []);
      const relay = { ...process, publish, stop: () => process.process.stop() };
      relays.push(relay);
      return relay;
    },
    async stop() {
      await Promise.all(relays.map((relay) => relay.stop()));
      await broker.stop();
    },
  };
}

async function startRelayProcess(settings: Readonly<Record<string, string>>, args: readonly string[]) {
  const port = await freePort();
  const adminPort = await freePort();
  const process = await ServerProcess.start({
    main: fileURLToPath(new URL('../../../dist/relay/main.js', import.meta.url)),
    args,
    env: {
      ...settings,
      RELAY_HOST: '127.0.0.1',
      RELAY_PORT: String(port),
      ADMIN_HOST: '127.0.0.1',
      ADMIN_PORT: String(adminPort),
      ALLOWED_ORIGINS: '*',
      CONNECTION_RATE: '0',
      // The clients stay where they are put, and are pinged as rarely as those of the others.
      REBALANCE: '0',
      PING_INTERVAL: '55s',
    },
    isUp: async () => {
      const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
      return ready?.ok === true;
    },
  });
  return { process, port };
}
