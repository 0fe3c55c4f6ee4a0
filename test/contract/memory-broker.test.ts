import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { describeBroker } from './broker-contract.ts';

describeBroker('in memory', async () => {
  const broker = new MemoryBroker();
  return { connect: () => broker, close: async () => {} };
});
