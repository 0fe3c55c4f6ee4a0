import type { BrokerFeed } from '../../shared/broker/broker.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Fanout, HubReport } from './fanout.ts';

/** What a hub needs. Durations are in milliseconds. */
export interface HubDeps {
  readonly feed: BrokerFeed;
  readonly fanout: Fanout;
  readonly clock: Clock;
  readonly report: HubReport;
  readonly repairIntervalMs: number;
  readonly floorSpreadMs: number;
  /** Over how long so many clients of this relay should spread their refetch of a topic; without it, they do not. */
  readonly spreadOf?: (topic: Topic, listeners: number) => number;
}
