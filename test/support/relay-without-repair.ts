// A relay that does not repair: what pub/sub and the first read of a register do not bring, it never learns. For the
// test that shows that the chaos tests would notice.
import { readRelayProcessConfig } from '../../services/relay/config.ts';
import { createRelay } from '../../services/relay/relay.ts';
import type { Digest, FeedHandler, Following, Loads, Witness } from '../../services/shared/broker/broker.ts';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis-broker.ts';
import { SYSTEM_CLOCK } from '../../services/shared/process/clock.ts';
import { runProcess } from '../../services/shared/process/run-process.ts';

/** Reports no changes and no other floor than the first. */
function withoutRepair(broker: RedisBroker): Following & Loads & Pick<RedisBroker, 'receipts'> {
  const floors = new Map<number, number>();
  return {
    partitions: broker.partitions,
    receipts: broker.receipts,
    partitionOf: (topic) => broker.partitionOf(topic),
    watch: (topics) => broker.watch(topics),
    unwatch: (topics) => broker.unwatch(topics),
    read: (topics) => broker.read(topics),
    renew() {},
    exchangeLoads: (id, load) => broker.exchangeLoads(id, load),
    follow(handler: FeedHandler) {
      broker.follow({
        deliver: (update) => handler.deliver(update),
        raiseFloor() {},
        watchesLost: (partitions) => handler.watchesLost(partitions),
        linkUp: () => handler.linkUp(),
      });
    },
    async digest(partition: number, witness: Witness): Promise<Digest> {
      const digest = await broker.digest(partition, witness, Number.MAX_SAFE_INTEGER);
      const floor = floors.get(partition) ?? digest.floor;
      floors.set(partition, floor);
      return { ...digest, floor, changed: [], reach: 0, more: false };
    },
  };
}

await runProcess({
  name: 'relay',
  env: process.env,
  defaultAdminPort: 9101,
  readConfig: readRelayProcessConfig,
  async main({ config, lifecycle, registry, health, refuse }) {
    const broker = new RedisBroker({ config: config.redis, report: SILENT_REPORT, refuse });
    const fresh = health.require('fresh');
    const feed = withoutRepair(broker);
    const relay = createRelay({ config: config.relay, feed, registry, clock: SYSTEM_CLOCK, fresh });
    await lifecycle.start('broker', broker);
    await lifecycle.start('relay', relay);
  },
});
