import type { Fault } from './fault.ts';
import { goodConditions, type NetworkConditions } from './network-conditions.ts';
import { SHORT_AUDIT_INTERVAL_MS } from './simulation.ts';

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
  degrade('signals are lost', 4, 'signalLoss', [0.02, 0.2, 1]),
  degrade('signals are duplicated', 2, 'signalRepeat', [0.5]),
  degrade('signals are late', 3, 'signalDelayMs', [50, 3000]),
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
    name: 'a server forgets subscriptions',
    weight: 3,
    maxMs: 0,
    begin({ relays, topics }, random) {
      const { broker, process } = random.pick(relays);
      const some = random.some(topics, 0.4);
      broker.loseSubscriptions(some, 'forget');
      return { what: `of ${process.name}: ${some}` };
    },
  },
  {
    name: 'topics fall silent',
    weight: 3,
    maxMs: 0,
    begin({ cluster, relays, topics }, random) {
      if (cluster.auditIntervalMs > SHORT_AUDIT_INTERVAL_MS) return undefined;
      const { broker, process } = random.pick(relays);
      const some = random.some(topics, 0.4);
      broker.loseSubscriptions(some, 'mute');
      return { what: `on ${process.name}: ${some}` };
    },
  },
  {
    name: 'a subscriber is connected to the replica',
    weight: 3,
    maxMs: 8000,
    begin({ cluster, relays }, random) {
      const shard = random.pick(cluster.shards);
      const link = `${random.pick(relays).process.name}/subscriber`;
      shard.misroute(link);
      return { what: `${link} of ${shard.name}`, end: () => shard.reroute(link) };
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
