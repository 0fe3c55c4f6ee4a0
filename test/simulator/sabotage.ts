import { Partition } from '../../services/relay/hub/partition.ts';
import { TopicInterest } from '../../services/relay/hub/topic-interest.ts';
import type { Accept, ConnectionOwner } from '../../services/relay/transport/transport.ts';
import type {
  BrokerFeed,
  BrokerPublisher,
  FeedHandler,
  PartitionState,
  RelayRegistry,
  Witness,
} from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';

/** A mechanism that is disabled in every relay, to show that tests detect its absence. */
type RelaySabotage =
  | 'repair'
  | 'fallback'
  | 'floor'
  | 'listed'
  | 'raise-order'
  | 'resume'
  | 'catch-up'
  | 'registration'
  | 'receipt-floor'
  | 'settings'
  | 'next-round'
  | 'continued'
  | 'relapsed';
/**
 * The same for the scripts: the identity of the server is not compared (`epoch`), another replication id alone is a loss
 * (`replication-id`), or a version may be below the last one of its partition (`last`).
 */
type ScriptSabotage = 'epoch' | 'replication-id' | 'last';
/** The same for webhooks: they do not present what they were assigned or acknowledged, or present nothing between calls. */
type WebhookSabotage = 'promised' | 'acknowledged' | 'reminder';

/** The same for the broker of relays: a marker counts whichever server has published it, or for whichever probe. */
type BrokerSabotage = 'marker-server' | 'marker-number';

export type Sabotage = RelaySabotage | ScriptSabotage | WebhookSabotage | BrokerSabotage;

/**
 * Disables repair (probes prove that all signals have arrived, digests report no changes), its fallback (only the former),
 * the floor (probes, digests and signals never raise it), the versions that digests list (those of the registers count), the
 * order of raises (the last reply counts, although the signal of a later raise has overtaken it), the registration of
 * relays that shut down, which still have clients, or the next round after a call that failed. (`receipt-floor`: the relay leaves its
 * floor out of receipts, as earlier releases did.)
 */
export function sabotageFeed(
  feed: BrokerFeed & RelayRegistry,
  sabotage: Sabotage | undefined,
): BrokerFeed & RelayRegistry {
  if (sabotage === 'listed') return withoutListedVersions(feed);
  if (sabotage === 'raise-order') return withoutRaiseOrder(feed);
  if (sabotage === 'next-round') return withoutNextRound(feed);
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

function withoutListedVersions(feed: BrokerFeed & RelayRegistry): BrokerFeed & RelayRegistry {
  const digest: BrokerFeed['digest'] = async (...call) => {
    const listed = await feed.digest(...call);
    const registers = await feed.read(listed.changed.map(({ topic }) => topic));
    return { ...listed, changed: registers.filter((register) => register !== undefined) };
  };
  return override(feed, { digest });
}

function withoutNextRound(feed: BrokerFeed & RelayRegistry): BrokerFeed & RelayRegistry {
  const never = () => new Promise<never>(() => {});
  return override(feed, {
    probe: (...call) => feed.probe(...call).catch(never),
    digest: (...call) => feed.digest(...call).catch(never),
  });
}

function withoutRaiseOrder(feed: BrokerFeed & RelayRegistry): BrokerFeed & RelayRegistry {
  const raiseIds = new Map<number, string>();
  const replaced = (partition: number, witness: Witness): Witness => {
    const raiseId = raiseIds.get(partition);
    return raiseId === undefined ? witness : { ...witness, raiseId };
  };
  const noted = <State extends PartitionState>(partition: number, state: State): State => {
    raiseIds.set(partition, state.raiseId);
    return state;
  };
  return override(feed, {
    setFeedHandler(handler) {
      const raiseFloor: FeedHandler['raiseFloor'] = (partition, floor, raiseId) => {
        raiseIds.delete(partition);
        handler.raiseFloor(partition, floor, raiseId);
      };
      feed.setFeedHandler(override(handler, { raiseFloor }));
    },
    digest: async (partition, witness, cursor) =>
      noted(partition, await feed.digest(partition, replaced(partition, witness), cursor)),
    probe: async (partition, witness, waitMs) =>
      noted(partition, await feed.probe(partition, replaced(partition, witness), waitMs)),
  });
}

/**
 * Disables a rule of every hub: other data than those known continue them (`continued`), or signals prove something before lost
 * subscriptions were replaced (`relapsed`). Returns a function that restores the rule.
 */
export function sabotageHubs(sabotage: Sabotage | undefined): () => void {
  const { isContinuedBy } = Partition.prototype;
  const { hasRelapsed } = TopicInterest.prototype;
  if (sabotage === 'continued') Partition.prototype.isContinuedBy = () => true;
  if (sabotage === 'relapsed') TopicInterest.prototype.hasRelapsed = () => false;
  return () => {
    Partition.prototype.isContinuedBy = isContinuedBy;
    TopicInterest.prototype.hasRelapsed = hasRelapsed;
  };
}

/** Returns an object that replaces some methods, and calls the others as they are then. */
function override<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const value = Reflect.get(Object.hasOwn(methods, name) ? methods : target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Takes the versions that were assigned (`promised`), or the acknowledgements under other epochs, out of every witness. */
export function sabotagePublisher<T extends BrokerPublisher>(publisher: T, sabotage: Sabotage | undefined): T {
  if (sabotage !== 'promised' && sabotage !== 'acknowledged') return publisher;
  const reduced = ({ promised, acknowledged, ...rest }: Witness): Witness => ({
    ...rest,
    ...(promised && { promised: { ...promised, version: sabotage === 'promised' ? 0 : promised.version } }),
    ...(acknowledged && sabotage !== 'acknowledged' && { acknowledged }),
  });
  const methods: Pick<BrokerPublisher, 'publishAll' | 'digest'> = {
    publishAll: (topics, body, witness) => publisher.publishAll(topics, body, reduced(witness)),
    digest: (partition, witness, cursor) => publisher.digest(partition, reduced(witness), cursor),
  };
  return override(publisher, methods as Partial<T>);
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
