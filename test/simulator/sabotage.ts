import type { Accept, ConnectionOwner } from '../../services/relay/transport/transport.ts';
import type { BrokerFeed, RelayRegistry } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';

/** A part of the promise that is taken out of every relay, to see whether tests find that it is missing. */
export type Sabotage = 'repair' | 'floor' | 'resume' | 'catch-up';

/** Relays without repair are told by every digest that nothing changed; without floor, that it never rose. */
export function sabotageFeed(
  feed: BrokerFeed & RelayRegistry,
  sabotage: Sabotage | undefined,
): BrokerFeed & RelayRegistry {
  if (sabotage !== 'repair' && sabotage !== 'floor') return feed;
  const firstFloors = new Map<number, Version>();
  return {
    partitions: feed.partitions,
    partitionOf: (topic) => feed.partitionOf(topic),
    watch: (topics) => feed.watch(topics),
    unwatch: (topics) => feed.unwatch(topics),
    read: (topics) => feed.read(topics),
    resetSubscription: (partition) => feed.resetSubscription(partition),
    exchangeLoad: (id, load) => feed.exchangeLoad(id, load),
    setFeedHandler(handler) {
      feed.setFeedHandler({
        deliver: (update) => handler.deliver(update),
        watchesLost: (partitions) => handler.watchesLost(partitions),
        linkUp: () => handler.linkUp(),
        raiseFloor(partition, floor, raise) {
          if (sabotage !== 'floor') handler.raiseFloor(partition, floor, raise);
        },
      });
    },
    async digest(partition, witness, cursor) {
      const digest = await feed.digest(partition, witness, cursor);
      if (sabotage === 'repair')
        return { ...digest, changed: [], hasMore: false, completeAfter: 0, last: Math.max(digest.last, cursor) };
      if (!firstFloors.has(partition)) firstFloors.set(partition, digest.floor);
      return { ...digest, floor: firstFloors.get(partition) ?? 0 };
    },
  };
}

/** Relays without resume forget what clients say they have; without catch-up, they never hear of room again. */
export function sabotageAccept(accept: Accept, sabotage: Sabotage | undefined): Accept {
  if (sabotage !== 'resume' && sabotage !== 'catch-up') return accept;
  return (connection, greeting) => {
    if (sabotage === 'catch-up') return withoutRoom(accept(connection, greeting));
    const topics = new Map([...greeting.topics.keys()].map((topic): [Topic, null] => [topic, null]));
    return withoutSince(accept(connection, { ...greeting, topics }));
  };
}

function withoutRoom(owner: ConnectionOwner): ConnectionOwner {
  return {
    message: (text) => owner.message(text),
    alive: () => owner.alive(),
    fellBehind: () => owner.fellBehind(),
    drained() {},
    closed: () => owner.closed(),
  };
}

function withoutSince(owner: ConnectionOwner): ConnectionOwner {
  return {
    message: (text) => owner.message(text.replace(/":\d+/g, '":null')),
    alive: () => owner.alive(),
    fellBehind: () => owner.fellBehind(),
    drained: () => owner.drained(),
    closed: () => owner.closed(),
  };
}
