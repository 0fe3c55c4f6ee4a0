import type { ProcessRecord } from '../store/records.ts';
import { parseSort, type Sort, type SortColumns, sortRows } from './sorting.ts';

/** Topics on one page of the list. */
const PAGE_SIZE = 25;

/** A topic, summed over the relays that list it. */
export interface TopicRow {
  readonly topic: string;
  readonly subscribers: number;
  readonly relays: number;
  /** Of its newest update, the time of that update in microseconds; 0 if no relay knows one. */
  readonly version: number;
}

/** Columns by which the list can be sorted. */
export const TOPIC_COLUMNS = {
  topic: ({ topic }) => topic,
  subscribers: ({ subscribers }) => subscribers,
  relays: ({ relays }) => relays,
  version: ({ version }) => version,
} satisfies SortColumns<TopicRow>;

/** What to list, from the query of a page. */
export interface TopicQuery {
  /** A part of the topic; empty for any. */
  readonly search: string;
  readonly sort: Sort;
  /** From 1. */
  readonly page: number;
}

/** A page of the list of topics with subscribers. */
export interface TopicPage extends TopicQuery {
  readonly topics: readonly TopicRow[];
  readonly pages: number;
  /** Number of topics in the list. */
  readonly listed: number;
  /** Relays that have answered. */
  readonly relays: number;
  /** Whether a relay has left out topics: those with the fewest subscribers. */
  readonly isPartial: boolean;
}

/** Parses what to list. Invalid values are replaced by their defaults. */
export function parseTopicQuery(query: Readonly<Record<string, unknown>>): TopicQuery {
  const page = Number(query.page);
  return {
    search: typeof query.search === 'string' ? query.search.slice(0, 128) : '',
    sort: parseSort(query.topics, TOPIC_COLUMNS, { column: 'subscribers', descending: true }),
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}

/** Sums the topics that the relays have listed for a search. */
export function listTopics(processes: readonly ProcessRecord[], query: TopicQuery): TopicPage {
  const { search } = query;
  const lists = processes
    .map(({ topicLists }) => (Object.hasOwn(topicLists, search) ? topicLists[search] : undefined))
    .filter((list) => list !== undefined);
  const rows = new Map<string, TopicRow>();
  for (const { topic, subscribers, version } of lists.flatMap(({ topics }) => topics)) {
    const known = rows.get(topic);
    rows.set(topic, {
      topic,
      subscribers: subscribers + (known?.subscribers ?? 0),
      relays: 1 + (known?.relays ?? 0),
      version: Math.max(version, known?.version ?? 0),
    });
  }
  const sorted = sortRows([...rows.values()], TOPIC_COLUMNS, query.sort);
  const pages = Math.max(1, Math.ceil(sorted.length / PAGE_SIZE));
  const page = Math.min(query.page, pages);
  return {
    ...query,
    page,
    pages,
    topics: sorted.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE),
    listed: sorted.length,
    relays: lists.length,
    isPartial: lists.some(({ topics, matching }) => matching > topics.length),
  };
}
