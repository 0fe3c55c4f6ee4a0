import type { ServerMessage } from '../shared/protocol/server-message.ts';
import { type ConnectorDeps, createConnector } from './connector.ts';
import { type KnownVersions, learn } from './known-versions.ts';
import type { Status, TopicVersions } from './transport.ts';

/** What a tab says to the one that leads. */
export interface TabRequest {
  readonly tab: number;
  readonly topics: TopicVersions;
  /** Whether these are all that it wants; else they are added, and asked for anew. */
  readonly all: boolean;
  /** Whether the line must be looked at: the tab was away, or has heard nothing for long. */
  readonly wake?: boolean;
}

/** What the tab that leads says to all: that it does, where its line stands, and what the relay says. */
export interface LeaderMessage {
  readonly leads?: true;
  readonly status?: Status;
  readonly message?: ServerMessage;
}

/** Leads the tabs of a channel: keeps one line for the topics of all of them. Returns what ends that. */
export function leadTabs(deps: Pick<ConnectorDeps, 'url' | 'open'> & { name: string }): () => void {
  // Its own end of the channel, so that the tab it runs in is one like the others.
  const channel = new BroadcastChannel(deps.name);
  const wishes = new Map<number, TopicVersions>();
  const known: KnownVersions = new Map();
  let status: Status | undefined;
  let isOver = false;

  function tell(news: LeaderMessage): void {
    if (!isOver) channel.postMessage(news);
  }

  const source = createConnector({
    ...deps,
    topics: known,
    message(message) {
      learn(known, message);
      tell({ message });
    },
    status(current) {
      if (current !== status) tell({ status: current });
      status = current;
    },
  });

  channel.onmessage = ({ data: { tab, topics, all, wake } }: MessageEvent<TabRequest>) => {
    if (!tab) return; // another one that leads, for a moment
    const before = wishes.get(tab) ?? new Map();
    wishes.set(tab, all ? topics : new Map([...before, ...topics]));
    const asked: KnownVersions = new Map();
    for (const [topic, since] of topics) {
      if (all && before.has(topic)) continue;
      // Whoever is furthest behind must be told; the others know what they have.
      const held = known.get(topic) ?? since;
      const version = since === null || held === null ? held : Math.min(held, since);
      known.set(topic, version);
      asked.set(topic, version);
    }
    const unwanted = [...known.keys()].filter((topic) => ![...wishes.values()].some((wish) => wish.has(topic)));
    for (const topic of unwanted) known.delete(topic);
    if (unwanted.length > 0) source.unsubscribe(unwanted);
    if (asked.size > 0) source.subscribe(asked);
    if (wake) source.wake();
    if (status) tell({ status });
    else source.connect();
  };
  tell({ leads: true });
  return () => {
    isOver = true;
    source.close();
    channel.close();
  };
}
