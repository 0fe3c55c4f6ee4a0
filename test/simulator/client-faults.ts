import type { Fault } from './fault.ts';
import { LibraryClient } from './library-client.ts';
import { noticeDeadLines } from './notice-dead-lines.ts';
import type { Simulation } from './simulation.ts';

const MAX_CLIENTS = 14;

/** A client with an open line. */
function connected({ clients, random }: Simulation) {
  const some = [...clients].filter((client) => client.line?.pipe?.isOpen);
  return some.length > 0 ? random.pick(some) : undefined;
}

/** What clients do, and what befalls them. */
export const CLIENT_FAULTS: readonly Fault[] = [
  {
    name: 'a client comes',
    weight: 10,
    maxMs: 0,
    begin(simulation) {
      if (simulation.clients.size >= MAX_CLIENTS) return undefined;
      simulation.addClient();
      return { what: '' };
    },
  },
  {
    name: 'a client leaves',
    weight: 4,
    maxMs: 0,
    begin({ clients, random }) {
      if (clients.size === 0) return undefined;
      const client = random.pick([...clients]);
      client.leave();
      clients.delete(client);
      return { what: client.name };
    },
  },
  {
    name: 'a client listens to one topic more or less',
    weight: 8,
    maxMs: 0,
    begin({ clients, random, topics }) {
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
    name: 'a line is reset',
    weight: 8,
    maxMs: 0,
    begin(simulation) {
      const client = connected(simulation);
      client?.line?.pipe?.reset();
      return client && { what: client.name };
    },
  },
  {
    name: 'a line goes silent',
    weight: 3,
    maxMs: 0,
    begin(simulation) {
      const client = connected(simulation);
      if (!client) return undefined;
      client.line?.pipe?.silence();
      noticeDeadLines(simulation, [client]);
      return { what: client.name };
    },
  },
  {
    name: 'a client takes nothing',
    weight: 8,
    maxMs: 25_000,
    begin(simulation) {
      const client = connected(simulation);
      const pipe = client?.line?.pipe;
      if (!client || !pipe) return undefined;
      pipe.stall();
      return { what: client.name, end: () => pipe.resume() };
    },
  },
  {
    name: "a client's buffer is full",
    weight: 8,
    maxMs: 4000,
    begin(simulation) {
      const client = connected(simulation);
      const pipe = client?.line?.pipe;
      if (!client || !pipe) return undefined;
      pipe.choke();
      return { what: client.name, end: () => pipe.release() };
    },
  },
];
