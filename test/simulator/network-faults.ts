import type { Fault } from './fault.ts';
import { calmWeather, type Weather } from './weather.ts';

/** Makes one thing in the weather bad for a while. */
function badWeather(name: string, weight: number, key: keyof Weather, levels: readonly number[]): Fault {
  return {
    name,
    weight,
    maxMs: 8000,
    begin({ cluster: { weather }, random }) {
      const level = random.pick(levels);
      weather[key] = level;
      return {
        what: String(level),
        end() {
          weather[key] = calmWeather()[key];
        },
      };
    },
  };
}

/** What befalls the connections between processes and Redis servers. */
export const NETWORK_FAULTS: readonly Fault[] = [
  badWeather('signals are lost', 4, 'signalLoss', [0.2, 0.7, 1]),
  badWeather('signals are repeated', 2, 'signalRepeat', [0.5]),
  badWeather('signals overtake each other', 3, 'signalDelayMs', [50, 3000]),
  badWeather('calls fail', 3, 'callFailure', [0.1, 0.5]),
  badWeather('calls take long', 3, 'latencyMs', [100, 900, 1500]),
  {
    name: 'a subscription goes deaf',
    weight: 4,
    maxMs: 0,
    begin({ relays, random }) {
      const { broker, process } = random.pick(relays);
      broker.deafen();
      return { what: process.name };
    },
  },
  {
    name: 'connections are reset',
    weight: 4,
    maxMs: 0,
    begin({ relays, webhooks, random }) {
      const { broker, process } = random.pick([...relays, ...webhooks]);
      if (!process.alive) return undefined;
      broker.reset();
      return { what: process.name };
    },
  },
  {
    name: 'packets are swallowed',
    weight: 4,
    maxMs: 14_000,
    begin({ cluster, relays, webhooks, random }) {
      const { process } = random.pick([...relays, ...webhooks]);
      const shard = random.pick(cluster.shards);
      const links = random.some([`${process.name}/commands`, `${process.name}/subscriber`], 0.7);
      for (const link of links) shard.cutOff(link);
      return {
        what: `${links} to ${shard.name}`,
        end() {
          for (const link of links) shard.mend(link);
        },
      };
    },
  },
];
