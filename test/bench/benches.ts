import type { Bench } from './bench.ts';
import { BROKER } from './broker/broker.ts';
import { CATCH_UP_STORM } from './catch-up-storm.ts';
import { FAN_OUT } from './fan-out.ts';
import { FLOODS_BENCH } from './floods.ts';
import { GROWTH_IN_CLIENTS } from './growth-in-clients.ts';
import { GROWTH_IN_RELAYS } from './growth-in-relays.ts';
import { GROWTH_IN_TOPICS } from './growth-in-topics.ts';
import { HANDSHAKES } from './handshakes.ts';
import { HTTP_FAN_OUT } from './http-fan-out.ts';
import { IDLE_CPU } from './idle-cpu.ts';
import { IDLE_MEMORY } from './idle-memory.ts';
import { LOST_RELAYS } from './lost-relays.ts';
import { MILLION } from './million.ts';
import { OVERLOAD } from './overload.ts';
import { REDIS_COMMANDS } from './redis-commands.ts';
import { STATS_COST } from './stats-cost.ts';
import { TLS } from './tls.ts';

/** All benches, in the order in which they run. */
export const BENCHES: readonly Bench[] = [
  FAN_OUT,
  IDLE_MEMORY,
  HANDSHAKES,
  CATCH_UP_STORM,
  OVERLOAD,
  GROWTH_IN_CLIENTS,
  GROWTH_IN_TOPICS,
  GROWTH_IN_RELAYS,
  REDIS_COMMANDS,
  BROKER,
  STATS_COST,
  FLOODS_BENCH,
  IDLE_CPU,
  HTTP_FAN_OUT,
  LOST_RELAYS,
  MILLION,
  TLS,
];
