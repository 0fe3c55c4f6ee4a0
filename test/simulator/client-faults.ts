import { detectDeadConnections } from './detect-dead-connections.ts';
import type { Fault } from './fault.ts';
import { LibraryClient } from './library-client.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Simulation } from './simulation.ts';

const MAX_CLIENTS = 14;

/** Returns a random client with an open connection. */
function connected({ clients }: Simulation, random: SeededRandom) {
  const some = [...clients].filter((client) => client.connection?.pipe?.isOpen);
  return some.length > 0 ? random.pick(some) : undefined;
}

/** The app saves a new revision and publishes it. */
export const PUBLISHING: Fault = {
  name: 'the app publishes',
  weight: 60,
  maxMs: 0,
  begin({ publisher, topics }, random) {
    const some = random.chance(0.8) ? [random.pick(topics)] : random.some(topics, 0.4);
    publisher.publish(some, random.chance(0.5));
    return { what: some.join() };
  },
};

/** Actions of clients, and faults of their connections. */
export const CLIENT_FAULTS: readonly Fault[] = [
  {
    name: 'a client connects',
    weight: 10,
    maxMs: 0,
    begin(simulation, random) {
      if (simulation.clients.size >= MAX_CLIENTS) return undefined;
      simulation.addClient(random);
      return { what: '' };
    },
  },
  {
    name: 'a client disconnects',
    weight: 4,
    maxMs: 0,
    begin({ clients }, random) {
      if (clients.size === 0) return undefined;
      const client = random.pick([...clients]);
      client.close();
      clients.delete(client);
      return { what: client.name };
    },
  },
  {
    name: 'a client subscribes or unsubscribes',
    weight: 8,
    maxMs: 0,
    begin({ clients, topics }, random) {
      const some = [...clients].filter((client) => client instanceof LibraryClient);
      if (some.length === 0) return undefined;
      const client = random.pick(some);
      const topic = random.pick(topics);
      if (client.topics.includes(topic)) client.unsubscribe(topic);
      else if (!client.subscribe(topic)) return undefined;
      return { what: `${client.name}: ${topic}` };
    },
  },
  {
    name: 'a client connection is reset',
    weight: 8,
    maxMs: 0,
    begin(simulation, random) {
      const client = connected(simulation, random);
      client?.connection?.pipe?.reset();
      return client && { what: client.name };
    },
  },
  {
    name: 'a client connection drops all packets',
    weight: 3,
    maxMs: 0,
    begin(simulation, random) {
      const client = connected(simulation, random);
      if (!client) return undefined;
      client.connection?.pipe?.blackhole();
      detectDeadConnections(simulation, [client]);
      return { what: client.name };
    },
  },
  {
    name: 'a client stops reading',
    weight: 8,
    maxMs: 25_000,
    begin(simulation, random) {
      const client = connected(simulation, random);
      const pipe = client?.connection?.pipe;
      if (!client || !pipe) return undefined;
      pipe.stall();
      return { what: client.name, end: () => pipe.resume() };
    },
  },
  {
    name: 'the app gives no tokens',
    weight: 3,
    maxMs: 10_000,
    begin(simulation) {
      simulation.givesTokens = false;
      return {
        what: '',
        end() {
          simulation.givesTokens = true;
        },
      };
    },
  },
  {
    name: "a client's buffer is full",
    weight: 8,
    maxMs: 4000,
    begin(simulation, random) {
      const client = connected(simulation, random);
      const pipe = client?.connection?.pipe;
      if (!client || !pipe) return undefined;
      pipe.choke();
      return { what: client.name, end: () => pipe.release() };
    },
  },
];
