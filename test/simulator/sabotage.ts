import type { Accept, ConnectionOwner } from '../../services/relay/transport/transport.ts';
import type { BrokerFeed, RelayRegistry } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';

/** A mechanism that is disabled in every relay, to show that tests detect its absence. */
export type Sabotage = 'repair' | 'fallback' | 'floor' | 'resume' | 'catch-up' | 'registration' | 'settings';

/**
 * Disables repair (probes prove that all signals have arrived, digests report no changes), its fallback (only the former),
 * the floor (probes, digests and signals never raise it), or the registration of relays that shut down, which still have
 * clients.
 */
export function sabotageFeed(
  feed: BrokerFeed & RelayRegistry,
  sabotage: Sabotage | undefined,
): BrokerFeed & RelayRegistry {
  const trustsSignals = sabotage === 'repair' || sabotage === 'fallback';
  if (!trustsSignals && sabotage !== 'floor' && sabotage !== 'registration') return feed;
  const firstFloors = new Map<number, Version>();
  const firstFloor = (partition: number, floor: Version) => {
    const first = firstFloors.get(partition) ?? floor;
    firstFloors.set(partition, first);
    return first;
  };
  return {
    partitions: feed.partitions,
    partitionOf: (topic) => feed.partitionOf(topic),
    watch: (topics) => feed.watch(topics),
    unwatch: (topics) => feed.unwatch(topics),
    read: (topics) => feed.read(topics),
    resetSubscription: (partition) => feed.resetSubscription(partition),
    exchangeLoad(id, load) {
      return feed.exchangeLoad(id, sabotage === 'registration' && load?.draining ? undefined : load);
    },
    setFeedHandler(handler) {
      feed.setFeedHandler({
        deliver: (update) => handler.deliver(update),
        watchesLost: (partitions) => handler.watchesLost(partitions),
        linkUp: () => handler.linkUp(),
        raiseFloor(partition, floor, raiseId) {
          if (sabotage !== 'floor') handler.raiseFloor(partition, floor, raiseId);
        },
      });
    },
    async probe(partition, witness, waitMs) {
      const probe = await feed.probe(partition, witness, waitMs);
      if (sabotage === 'floor') return { ...probe, floor: firstFloor(partition, probe.floor) };
      return trustsSignals ? { ...probe, signals: 'complete' } : probe;
    },
    recentVersions: (topics) => (trustsSignals ? Promise.resolve([]) : feed.recentVersions(topics)),
    async digest(partition, witness, cursor) {
      const digest = await feed.digest(partition, witness, cursor);
      if (sabotage === 'repair')
        return { ...digest, changed: [], hasMore: false, completeAfter: 0, last: Math.max(digest.last, cursor) };
      return sabotage === 'floor' ? { ...digest, floor: firstFloor(partition, digest.floor) } : digest;
    },
  };
}

/** Disables resume (versions sent by clients are ignored) or catch-up (sessions are not notified that buffers drained). */
export function sabotageAccept(accept: Accept, sabotage: Sabotage | undefined): Accept {
  if (sabotage !== 'resume' && sabotage !== 'catch-up') return accept;
  return (connection, greeting) => {
    if (sabotage === 'catch-up') return withoutDrain(accept(connection, greeting));
    const topics = new Map([...greeting.topics.keys()].map((topic): [Topic, null] => [topic, null]));
    return withoutSince(accept(connection, { ...greeting, topics }));
  };
}

function withoutDrain(owner: ConnectionOwner): ConnectionOwner {
  return {
    message: (text) => owner.message(text),
    alive: () => owner.alive(),
    fellBehind: () => owner.fellBehind(),
    drained() {},
    isFresh: (topic) => owner.isFresh(topic),
    closed: () => owner.closed(),
  };
}

function withoutSince(owner: ConnectionOwner): ConnectionOwner {
  return {
    message: (text) => owner.message(text.replace(/":\d+/g, '":null')),
    alive: () => owner.alive(),
    fellBehind: () => owner.fellBehind(),
    drained: () => owner.drained(),
    isFresh: (topic) => owner.isFresh(topic),
    closed: () => owner.closed(),
  };
}
