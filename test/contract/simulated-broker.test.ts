import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { createSimulatedCluster } from '../simulator/create-simulated-cluster.ts';
import { SeededRandom } from '../simulator/seeded-random.ts';
import { SimulatedBroker } from '../simulator/simulated-broker.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

async function simulated() {
  const clock = SYSTEM_CLOCK;
  const cluster = createSimulatedCluster({ clock, random: new SeededRandom(1), partitions: 4, shards: 2 });
  let brokers = 0;
  return {
    connect() {
      brokers += 1;
      return new SimulatedBroker({ name: `process${brokers}`, cluster, clock, storeSettingsAfterMs: 0 });
    },
    close: async () => {},
  };
}

describeBroker('simulated', simulated);
describeReceipts('simulated', simulated);
