// A relay that lacks one part that keeps the promise, named by SABOTAGE: tests show with it that the chaos tests notice.
import { readRelayProcessConfig } from '../../services/relay/config.ts';
import { createRelay } from '../../services/relay/relay.ts';
import { Sessions } from '../../services/relay/session/sessions.ts';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { runProcess } from '../../services/shared/process/run-process.ts';
import { type Sabotage, sabotageAccept, sabotageFeed } from '../simulator/sabotage.ts';

const sabotage = process.env.SABOTAGE as Sabotage | undefined;

const accept = Sessions.prototype.accept;
Object.assign(Sessions.prototype, {
  accept(this: Sessions, ...args: Parameters<typeof accept>) {
    return sabotageAccept((...own) => accept.apply(this, own), sabotage)(...args);
  },
});

await runProcess({
  name: 'relay',
  env: process.env,
  defaultAdminPort: 9101,
  readConfig: readRelayProcessConfig,
  ports: () => [],
  async main({ config, lifecycle, logger, registry, health, abort }) {
    const broker = new RedisBroker({ config: config.redis, report: SILENT_REPORT, abort });
    const fresh = health.require('fresh');
    const sabotaged = sabotageFeed(broker, sabotage);
    const feed = sabotaged === broker ? broker : { ...sabotaged, receipts: broker.receipts };
    const relay = createRelay({ config: config.relay, feed, registry, logger, clock: SYSTEM_CLOCK, fresh });
    await lifecycle.start('broker', broker);
    const port = await lifecycle.start('relay', relay);
    logger.info({ port }, 'relay is listening');
  },
});
