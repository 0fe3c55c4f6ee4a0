import type { ClientPlan } from '../clients/client-plan.ts';
import type { LoadtestOptions, TargetCluster } from '../options/options.ts';
import type { Plan } from '../plan/plan.ts';

/** With what a load test publishes and listens. */
export interface Credentials {
  readonly publish: { readonly secret?: string; readonly token?: string };
  /** A JWT for private topics. */
  readonly relayToken: string | undefined;
}

/** Divides the work among the processes: each has its part of all relays, topics and transports. */
export function clientPlans(deps: {
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
    choice: { topics, topicsPerClient, spread: topicSpread, prefix: topicPrefix },
    mix,
    slowShare,
    slowPauseMs,
    rampMs,
    churnPerSecond: options.churnPerSecond / plan.processes.length,
    token,
  }));
}
