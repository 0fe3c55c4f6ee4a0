import { fileURLToPath } from 'node:url';
import { createBrokerMetrics } from '../shared/broker/metrics.ts';
import { RedisBroker } from '../shared/broker/redis/redis-broker.ts';
import { SYSTEM_CLOCK } from '../shared/clock.ts';
import { serveMetrics } from '../shared/process/admin-server.ts';
import { renderMerged } from '../shared/process/metrics-registry.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readStatsConfig } from '../stats/config.ts';
import { createStats, mountStatsPages } from '../stats/stats.ts';
import { readRelayProcessConfig } from './config.ts';
import { RelaySupervisor } from './processes/relay-supervisor.ts';
import { connectToSupervisor } from './processes/relay-worker.ts';
import { createRelay } from './relay.ts';

/** Whether a supervisor has started this process as one of several. */
const isOneOfMany = process.send !== undefined;

await runProcess({
  name: 'relay',
  env: process.env,
  defaultAdminPort: 9101,
  readConfig: (env) => ({ ...readRelayProcessConfig(env), stats: readStatsConfig(env) }),
  // Several processes share the port, also with others.
  ports: ({ relay: { host, port }, processes }) => (processes === 1 ? [{ host, port, setting: 'RELAY' }] : []),
  async main({ config, lifecycle, logger, registry, health, admin, abort }) {
    const clock = SYSTEM_CLOCK;
    const { redis } = config;
    const fresh = health.require('fresh');
    const holdsClients = config.processes === 1 || isOneOfMany;
    const stats = await createStats({
      config: config.stats,
      name: 'relay',
      redis,
      registry,
      logger,
      clock,
      records: holdsClients,
    });
    mountStatsPages(admin, stats);
    await lifecycle.start('statistics', stats);
    if (!holdsClients) {
      const main = fileURLToPath(import.meta.url);
      const { processes: count } = config;
      const processes = new RelaySupervisor({ main, count, env: process.env, clock, logger, ready: fresh });
      admin.mount(
        '/metrics',
        serveMetrics(async () => renderMerged(await processes.metrics())),
      );
      await lifecycle.start('relay processes', processes);
      stats.setAddresses({ relay: { port: config.relay.port, tls: config.relay.tls !== undefined } });
      logger.info({ processes: count, port: config.relay.port }, 'relay is listening');
      return;
    }
    const parent = isOneOfMany
      ? connectToSupervisor({ parent: process, registry, prepareStop: (waitMs) => lifecycle.prepareStop(waitMs) })
      : undefined;
    const broker = new RedisBroker({ config: redis, report: createBrokerMetrics({ registry, logger }), abort });
    const relay = createRelay({
      config: { ...config.relay, sharesPort: isOneOfMany },
      feed: broker,
      registry,
      logger,
      clock,
      fresh() {
        fresh();
        parent?.ready();
      },
      stats: stats.service('relay', {
        facts: () => relay.facts(),
        topics: (search, limit) => relay.hub.listTopics(search, limit),
      }),
    });
    await lifecycle.start('broker', broker);
    const port = await lifecycle.start('relay', relay);
    parent?.listening();
    stats.setAddresses({ relay: { port, tls: config.relay.tls !== undefined } });
    logger.info({ port }, 'relay is listening');
  },
});
