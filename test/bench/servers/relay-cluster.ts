import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Publisher } from '../../../services/client/publisher.ts';
import { parseTopic } from '../../../services/shared/update/topic.ts';
import { freePort } from '../../support/free-port.ts';
import { redisBrokers } from '../../support/redis-brokers.ts';
import { updateBody } from '../../support/update-body.ts';
import type { RunningServer, StartOptions } from './contender.ts';
import { ServerProcess } from './server-process.ts';
import { shortPrefix } from './short-prefix.ts';

/** The folder of this build. */
export const THIS_BUILD = fileURLToPath(new URL('../../../dist', import.meta.url));

/** How often relays ping their clients in benches, in seconds: as rarely as possible. */
export const PING_INTERVAL_S = 55;

/** A cluster from the build, with its own Redis prefix. */
export interface RelayCluster {
  /** Publishes with the script in Redis, as a webhook does. */
  publish(topic: string, data: unknown): Promise<void>;
  /** Adds a relay; resolves once it is fresh. */
  addRelay(): Promise<RunningServer>;
  /** Adds a webhook; its `publish` makes signed calls, unless `env` has secrets of its own. */
  addWebhook(env?: Readonly<Record<string, string>>): Promise<RunningServer>;
  /** Stops all processes. */
  stop(): Promise<void>;
}

/** Creates a cluster without processes; `env` applies to all that are added. */
export async function startRelayCluster(
  options: StartOptions & { env?: Readonly<Record<string, string>> },
): Promise<RelayCluster> {
  const { redisUrl, nodeArgs = [], build = THIS_BUILD, env: shared = {} } = options;
  const settings = { REDIS_URL: redisUrl, HELIOGRAPH_PREFIX: shortPrefix(), PARTITIONS: '16', ...shared };
  const broker = redisBrokers(settings).connect();
  await broker.start();
  const processes: ServerProcess[] = [];
  const publish: RunningServer['publish'] = async (topic, data) => {
    await broker.publish(parseTopic(topic), updateBody({ data }), { epoch: '', version: 0 });
  };
  const start = async (role: 'relay' | 'webhook', env: Readonly<Record<string, string>>) => {
    const { process, port } = await startRole({ build, role, args: nodeArgs, env: { ...settings, ...env } });
    processes.push(process);
    return { process, port, publish, stop: () => process.stop() };
  };
  return {
    publish,
    addRelay: () =>
      start('relay', {
        ALLOWED_ORIGINS: '*',
        CONNECTION_RATE: '0',
        // No rebalancing, and pings as rare as those of the other contenders.
        REBALANCE: '0',
        PING_INTERVAL: `${PING_INTERVAL_S}s`,
        ...shared,
      }),
    async addWebhook(env = {}) {
      const secret = `whsec_${randomBytes(24).toString('base64')}`;
      const webhook = await start('webhook', {
        WEBHOOK_SECRETS: secret,
        WEBHOOK_RATE: '0',
        WEBHOOK_STORAGE: '0B',
        ...env,
      });
      const publisher = new Publisher({ url: `http://127.0.0.1:${webhook.port}/webhook`, secret });
      return { ...webhook, publish: async (topic, data) => void (await publisher.publish(topic, { data })) };
    },
    async stop() {
      await Promise.all(processes.map((process) => process.stop()));
      await broker.stop();
    },
  };
}

/** Starts a service of a build, on loopback; resolves once it is ready. */
export async function startRole(options: {
  build?: string | undefined;
  role: 'relay' | 'webhook' | 'chat';
  args?: readonly string[];
  env: Readonly<Record<string, string>>;
}): Promise<{ process: ServerProcess; port: number; adminPort: number }> {
  const { build = THIS_BUILD, role, args = [], env } = options;
  const [port, adminPort] = [await freePort(), await freePort()];
  const name = role.toUpperCase();
  const process = await ServerProcess.start({
    main: join(build, role, 'main.js'),
    args,
    env: {
      ...env,
      [`${name}_HOST`]: '127.0.0.1',
      [`${name}_PORT`]: String(port),
      ADMIN_HOST: '127.0.0.1',
      ADMIN_PORT: String(adminPort),
    },
    isUp: async () => {
      const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
      return ready?.ok === true;
    },
  });
  return { process, port, adminPort };
}
