import { detectDeadConnections } from './detect-dead-connections.ts';
import type { Fault } from './fault.ts';

/** Faults of relays and webhooks. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'a relay is killed',
    weight: 4,
    maxMs: 5000,
    begin(simulation, random) {
      const place = random.integer(0, simulation.relays.length - 1);
      const relay = simulation.relays[place];
      if (!relay?.takesClients) return undefined;
      const silently = random.chance(0.2);
      relay.kill(silently);
      if (silently) {
        const orphans = [...simulation.clients].filter((client) => client.connection?.relay === relay);
        detectDeadConnections(simulation, orphans);
      }
      return {
        what: `${relay.process.name}${silently ? ' with its machine' : ''}`,
        end: () => simulation.startRelay(place),
      };
    },
  },
  {
    name: 'a relay is drained and restarted',
    weight: 3,
    maxMs: 5000,
    begin(simulation, random) {
      const place = random.integer(0, simulation.relays.length - 1);
      const relay = simulation.relays[place];
      if (!relay?.takesClients) return undefined;
      const waitMs = random.chance(0.5) ? 0 : random.between(0, 3000);
      void relay.drain(waitMs);
      return {
        what: `${relay.process.name} after ${Math.round(waitMs)} ms`,
        end() {
          if (relay.process.alive) relay.kill(false);
          simulation.startRelay(place);
        },
      };
    },
  },
  {
    name: 'a relay sheds clients',
    weight: 2,
    maxMs: 0,
    begin({ relays }, random) {
      const relay = random.pick(relays);
      if (!relay.process.runs) return undefined;
      return { what: `${relay.shed(random.integer(1, 3))} of ${relay.process.name}` };
    },
  },
  {
    name: 'a relay has more than its share of clients',
    weight: 2,
    maxMs: 8000,
    begin({ relays }, random) {
      const relay = random.pick(relays);
      if (!relay.takesClients) return undefined;
      relay.isAboveShare = true;
      return {
        what: relay.process.name,
        end() {
          relay.isAboveShare = false;
        },
      };
    },
  },
  {
    name: 'a webhook is killed',
    weight: 3,
    maxMs: 5000,
    begin(simulation, random) {
      const place = random.integer(0, simulation.webhooks.length - 1);
      const webhook = simulation.webhooks[place];
      if (!webhook?.process.alive || !webhook.mayDie) return undefined;
      webhook.kill();
      return { what: webhook.process.name, end: () => simulation.startWebhook(place) };
    },
  },
  {
    name: 'a relay stands still',
    weight: 3,
    maxMs: 20_000,
    begin({ relays }, random) {
      const { process } = random.pick(relays);
      if (!process.runs) return undefined;
      process.suspend();
      return { what: process.name, end: () => process.resume() };
    },
  },
  {
    name: "a process's clock steps",
    weight: 3,
    maxMs: 0,
    begin({ relays, webhooks }, random) {
      const { process } = random.pick([...relays, ...webhooks]);
      const size = random.pick([100, 5000, 100_000, 100_000_000]);
      const stepMs = Math.round(random.between(-size, size));
      process.clockOffsetMs += stepMs;
      return { what: `${process.name} by ${stepMs / 1000} s` };
    },
  },
];
