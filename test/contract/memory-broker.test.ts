import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const inMemory = async () => {
  const broker = new MemoryBroker();
  return { connect: () => broker, close: async () => {} };
};

describeBroker('in memory', inMemory);
describeReceipts('in memory', inMemory);
