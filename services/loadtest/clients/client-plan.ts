import type { LoadtestOptions, TargetCluster } from '../options/options.ts';
import type { Plan } from '../plan/plan.ts';
import type { Target } from '../wire/target.ts';
import type { TopicAssignment } from './topic-assignment.ts';
import type { TransportMix } from './transport-mix.ts';

/** The work of one client process. */
export interface ClientPlan {
  /** The process holds `count` of all clients: numbers `first`, `first + step`, `first + 2 * step` and so on. */
  readonly first: number;
  readonly step: number;
  readonly count: number;
  readonly targets: readonly Target[];
  /** Local addresses of its connections, used in turn; empty lets the system choose. */
  readonly sourceAddresses: readonly string[];
  readonly assignment: TopicAssignment;
  readonly mix: TransportMix;
  readonly slowShare: number;
  readonly slowPauseMs: number;
  readonly rampMs: number;
  /** Clients of this process that disconnect and reconnect each second. */
  readonly churnPerSecond: number;
  /** A JWT for private topics. */
  readonly token: string | undefined;
}

/** Divides the work among the processes; each gets its share of all relays, topics and transports. */
export function makeClientPlans(deps: {
  options: LoadtestOptions;
  plan: Plan;
  cluster: TargetCluster;
  token: string | undefined;
}): readonly ClientPlan[] {
  const { options, plan, cluster, token } = deps;
  const { topics, topicsPerClient, topicSpread, topicPrefix, mix, slowShare, slowPauseMs, rampMs } = options;
  return plan.processes.map((count, i) => ({
    first: i,
    step: plan.processes.length,
    count,
    targets: cluster.relays,
    sourceAddresses: plan.sourceAddresses[i] ?? [],
    assignment: { topics, topicsPerClient, spread: topicSpread, prefix: topicPrefix },
    mix,
    slowShare,
    slowPauseMs,
    rampMs,
    churnPerSecond: options.churnPerSecond / plan.processes.length,
    token,
  }));
}
