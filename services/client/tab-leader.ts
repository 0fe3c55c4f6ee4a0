import type { ServerMessage } from '../shared/protocol/server-message.ts';
import { type ConnectorDeps, createConnector } from './connector.ts';
import { type KnownVersions, recordVersions } from './known-versions.ts';
import type { Status, TopicVersions } from './transport.ts';

/** A tab's message to the leader. */
export interface TabRequest {
  /** Random identifier of the tab, not 0. */
  readonly tab: number;
  readonly topics: TopicVersions;
  /** True if these are all topics of the tab; otherwise they are added, and subscribed again. */
  readonly all: boolean;
  /** The leader must check its connection: the tab was hidden, or has received nothing for long. */
  readonly wake?: boolean;
}

/** The leader's message to all tabs: that it took the lead, the status of its connection, or a message of the relay. */
export interface LeaderMessage {
  readonly leads?: true;
  readonly status?: Status;
  readonly message?: ServerMessage;
}

/** Keeps one connection for the topics of all tabs on a channel. Returns a function that ends it. */
export function leadTabs(deps: Pick<ConnectorDeps, 'url' | 'open'> & { name: string }): () => void {
  // A channel of its own, so that the leader's tab receives its messages as all others do.
  const channel = new BroadcastChannel(deps.name);
  const topicsByTab = new Map<number, TopicVersions>();
  const known: KnownVersions = new Map();
  let status: Status | undefined;
  let isStopped = false;

  function broadcast(message: LeaderMessage): void {
    if (!isStopped) channel.postMessage(message);
  }

  const source = createConnector({
    ...deps,
    topics: known,
    message(message) {
      recordVersions(known, message);
      broadcast({ message });
    },
    status(current) {
      if (current !== status) broadcast({ status: current });
      status = current;
    },
  });

  channel.onmessage = ({ data: { tab, topics, all, wake } }: MessageEvent<TabRequest>) => {
    if (!tab) return; // from another leader, for a moment
    const before = topicsByTab.get(tab) ?? new Map();
    topicsByTab.set(tab, all ? topics : new Map([...before, ...topics]));
    const added: KnownVersions = new Map();
    for (const [topic, since] of topics) {
      if (all && before.has(topic)) continue;
      // The oldest version of all tabs counts: the tabs that are ahead ignore what they already have.
      const held = known.get(topic) ?? since;
      const version = since === null || held === null ? held : Math.min(held, since);
      known.set(topic, version);
      added.set(topic, version);
    }
    const removed = [...known.keys()].filter((topic) => ![...topicsByTab.values()].some((held) => held.has(topic)));
    for (const topic of removed) known.delete(topic);
    if (removed.length > 0) source.unsubscribe(removed);
    if (added.size > 0) source.subscribe(added);
    if (wake) source.wake();
    if (status) broadcast({ status });
    else source.connect();
  };
  broadcast({ leads: true });
  return () => {
    isStopped = true;
    source.close();
    channel.close();
  };
}
