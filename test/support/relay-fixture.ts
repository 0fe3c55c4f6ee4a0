import { Registry } from 'prom-client';
import type { ClientOptions } from 'ws';
import { readRelayConfig } from '../../services/relay/config.ts';
import { createRelay } from '../../services/relay/relay.ts';
import type { Broker } from '../../services/shared/broker/broker.ts';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { createLogger } from '../../services/shared/logger.ts';
import type { ServiceStats } from '../../services/shared/trace/service-stats.ts';
import type { Topic } from '../../services/shared/update/topic.ts';

import { TEST_ENGINE } from './engines.ts';

import { eventually } from './eventually.ts';
import { type PlainBody, updateBody } from './update-body.ts';
import { WsClient } from './ws-client.ts';

/**
 * Starts a relay in this process, on a free port of loopback. The caller starts and stops `broker`; the fixture starts and
 * stops `ownBroker`, which is a broker in memory by default.
 */
export async function startRelay(
  options: { env?: Record<string, string>; broker?: Broker; ownBroker?: Broker; stats?: ServiceStats } = {},
) {
  const env = {
    RELAY_ENGINE: TEST_ENGINE,
    RELAY_HOST: '127.0.0.1',
    RELAY_PORT: '0',
    DRAIN_WINDOW: '0ms',
    ...options.env,
  };
  const config = readRelayConfig(new EnvReader(env));
  const broker = options.broker ?? options.ownBroker ?? new MemoryBroker();
  const registry = new Registry();
  const log: string[] = [];
  const logger = createLogger({ name: 'relay', level: 'info', destination: { write: (line) => void log.push(line) } });
  const relay = createRelay({
    config,
    feed: broker,
    registry,
    logger,
    clock: SYSTEM_CLOCK,
    ...(options.stats && { stats: options.stats }),
  });
  if (!options.broker) await broker.start();
  const port = await relay.start();
  const clients: WsClient[] = [];
  await eventually(() => {
    if (!relay.hub.fresh) throw new Error('the relay is not fresh yet');
  });
  async function stop(): Promise<void> {
    for (const client of clients) client.terminate();
    await relay.stop();
    if (!options.broker) await broker.stop();
  }
  return {
    relay,
    broker,
    port,
    url: `ws://127.0.0.1:${port}`,
    /** The lines of the log. */
    log: log as readonly string[],
    http: `http://127.0.0.1:${port}`,
    /** Connects a client, which is closed with the relay. */
    async connect(path: string, options: ClientOptions = {}): Promise<WsClient> {
      const client = await WsClient.open(`ws://127.0.0.1:${port}${path}`, options);
      clients.push(client);
      return client;
    },
    async publish(topic: string, body: PlainBody = {}): Promise<number> {
      const { version } = await broker.publish(topic as Topic, updateBody(body), { epoch: '', version: 0 });
      return version;
    },
    /** Returns the value of a metric, summed over its labels. */
    async metric(name: string): Promise<number> {
      const metric = await registry.getSingleMetric(name)?.get();
      return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
    },
    /** Returns the text of `/metrics`. */
    metrics: () => registry.metrics(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export type RelayFixture = Awaited<ReturnType<typeof startRelay>>;
