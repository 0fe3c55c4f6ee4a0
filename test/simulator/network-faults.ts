import type { Fault } from './fault.ts';
import { goodConditions, type NetworkConditions } from './network-conditions.ts';

/** Creates a fault that degrades one of the network conditions. */
function degrade(name: string, weight: number, key: keyof NetworkConditions, levels: readonly number[]): Fault {
  return {
    name,
    weight,
    maxMs: 8000,
    begin({ cluster: { network } }, random) {
      const level = random.pick(levels);
      network[key] = level;
      return {
        what: String(level),
        end() {
          network[key] = goodConditions()[key];
        },
      };
    },
  };
}

/** Faults of the network between processes and Redis servers. */
export const NETWORK_FAULTS: readonly Fault[] = [
  degrade('signals are lost', 4, 'signalLoss', [0.2, 0.7, 1]),
  degrade('signals are duplicated', 2, 'signalRepeat', [0.5]),
  degrade('signals are reordered', 3, 'signalDelayMs', [50, 3000]),
  degrade('calls fail', 3, 'callFailure', [0.1, 0.5]),
  degrade('calls are slow', 3, 'latencyMs', [100, 900, 1500]),
  {
    name: 'a subscription loses all signals',
    weight: 4,
    maxMs: 0,
    begin({ relays }, random) {
      const { broker, process } = random.pick(relays);
      broker.dropSignals();
      return { what: process.name };
    },
  },
  {
    name: 'connections are reset',
    weight: 4,
    maxMs: 0,
    begin({ relays, webhooks }, random) {
      const { broker, process } = random.pick([...relays, ...webhooks]);
      if (!process.alive) return undefined;
      broker.reset();
      return { what: process.name };
    },
  },
  {
    name: 'packets are dropped',
    weight: 4,
    maxMs: 14_000,
    begin({ cluster, relays, webhooks }, random) {
      const { process } = random.pick([...relays, ...webhooks]);
      const shard = random.pick(cluster.shards);
      const links = random.some([`${process.name}/commands`, `${process.name}/subscriber`], 0.7);
      for (const link of links) shard.blackhole(link);
      return {
        what: `${links} to ${shard.name}`,
        end() {
          for (const link of links) shard.restore(link);
        },
      };
    },
  },
];
