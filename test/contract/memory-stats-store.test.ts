import { MemoryStatsStore } from '../../services/stats/store/memory-stats-store.ts';
import { describeStatsStore, LIMITS } from './stats-store-contract.ts';

describeStatsStore('memory', async () => ({ connect: (limits = LIMITS) => new MemoryStatsStore({ limits }) }));
