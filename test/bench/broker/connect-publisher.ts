import { pathToFileURL } from 'node:url';
import { SILENT_REPORT } from '../../../services/shared/broker/broker-report.ts';
import type { Topic } from '../../../services/shared/update/topic.ts';
import type { UpdateBody } from '../../../services/shared/update/update.ts';
import { shortPrefix } from '../servers/short-prefix.ts';

/** The part of a webhook that publishes to Redis. */
export interface ConnectedPublisher {
  publish(topics: readonly Topic[], body: UpdateBody): Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Connects the publisher of a build, as its webhook does.
 * @param build the folder `dist`
 */
export async function connectPublisher(
  build: string,
  env: Readonly<Record<string, string>>,
): Promise<ConnectedPublisher> {
  const load = (path: string) => import(pathToFileURL(`${build}/${path}.js`).href);
  const { RedisBroker } = await load('shared/broker/redis/redis-broker');
  const { EnvReader } = await load('shared/config/env-reader');
  const { requireRedisConfig } = await load('shared/config/redis-config');
  const { SYSTEM_CLOCK: clock } = await load('shared/clock');
  const { ClusterPublisher } = await load('webhook/cluster-publisher');
  const config = requireRedisConfig(new EnvReader({ HELIOGRAPH_PREFIX: shortPrefix(), ...env }));
  const broker = new RedisBroker({ config, report: SILENT_REPORT, abort() {}, restoreTimeMs: 0 });
  await broker.start();
  const publisher = new ClusterPublisher({ broker, clock, report: { updateLost() {} } });
  publisher.start();
  return {
    publish: (topics, body) => publisher.publish(topics, body),
    async stop() {
      publisher.stop();
      await broker.stop();
    },
  };
}
