import type { Topic } from '../../services/shared/update/topic.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { Simulation } from './simulation.ts';

/** Checks the promise after all faults have ended. Returns the violations, described. */
export function checkPromise(simulation: Simulation): string[] {
  const { clients, relays } = simulation;
  const stale = relays.filter(({ hub }) => !hub.fresh);
  return [
    ...stale.map(({ process }) => `${process.name} is not fresh`),
    ...[...clients].flatMap((client) => checkClient(simulation, client)),
  ];
}

/** Checks the promise for one client. */
export function checkClient({ app }: Simulation, client: SimulatedClient): string[] {
  const wrong: string[] = [];
  for (const topic of client.topics) {
    const missing = app.missing(topic, client.page.shown(topic));
    if (!missing) continue;
    const shown = client.page.shown(topic);
    const acknowledged = `#${missing.revision}, acknowledged at ${missing.atMs / 1000} s as ${missing.version}`;
    wrong.push(`${client.name} shows #${shown} of ${topic}, and was never notified of ${acknowledged}`);
  }
  // Without topics it may wait for a pong that did not fit into a full buffer, until it sends the next ping after 30 s.
  if (client.isFresh === false && client.topics.length > 0) {
    wrong.push(`${client.name} was not notified that ${client.connection?.relay?.process.name} is fresh again`);
  }
  return wrong;
}

/** Checks that all relays report the same version of a topic, and hold no more than their clients need. */
export function checkRelays({ relays, topics }: Simulation): string[] {
  const wrong: string[] = [];
  for (const topic of topics) {
    const versions = relays.filter(({ hub }) => hub.isFresh(topic)).map(({ hub }) => hub.current(topic).version);
    if (new Set(versions).size > 1) wrong.push(`the relays report different versions of ${topic}: ${versions.join()}`);
  }
  for (const { process, hub, sessions, server, broker } of relays) {
    const connections = server.sockets.size + server.responses.size;
    if (sessions.size !== connections) {
      wrong.push(`${process.name} has ${sessions.size} sessions and ${connections} connections`);
    }
    const wanted = new Set([...server.responses].flatMap(({ topics }) => topics as Topic[]));
    for (const { topics: channels } of server.sockets) {
      for (const channel of channels) {
        const topic = channel.slice(channel.indexOf(' ') + 1) as Topic;
        if (topic) wanted.add(topic);
      }
    }
    if (hub.topics !== wanted.size) wrong.push(`${process.name} holds ${hub.topics} topics for ${[...wanted].join()}`);
    const unwatched = [...wanted].filter((topic) => !broker.watched.includes(topic));
    if (unwatched.length > 0) wrong.push(`${process.name} does not watch ${unwatched.join()}`);
    for (const session of sessions) if (session.isBehind) wrong.push(`${process.name} has a client behind`);
  }
  return wrong;
}
