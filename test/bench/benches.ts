import type { Bench } from './bench.ts';
import { FAN_OUT } from './fan-out.ts';
import { IDLE_MEMORY } from './idle-memory.ts';

/** All of them, in the order in which they run. */
export const BENCHES: readonly Bench[] = [FAN_OUT, IDLE_MEMORY];
