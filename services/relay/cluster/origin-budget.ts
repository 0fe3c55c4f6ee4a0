import type { Topic } from '../../shared/update/topic.ts';
import { parseTopicPattern, type TopicPattern } from '../../shared/update/topic-pattern.ts';

/** Returns the requests per second that the web application accepts from the clients of a topic; 0 for no limit. */
export type OriginBudget = (topic: Topic) => number;

/** Shorter spreads have no visible effect on the web application. */
const MIN_SPREAD_MS = 100;

/**
 * Parses budgets: a number for all topics, and `<topic or pattern>=<number>` for some, of which the first match wins.
 * Returns undefined if one is invalid.
 */
export function parseOriginBudget(texts: readonly string[]): OriginBudget | undefined {
  const rules: { pattern: TopicPattern; perSecond: number }[] = [];
  let rest = 0;
  for (const text of texts) {
    const [, name, digits = ''] = /^(?:([^=]+)=)?(\d{1,9})$/.exec(text) ?? [];
    if (digits === '') return undefined;
    if (name === undefined) {
      rest = Number(digits);
      continue;
    }
    const pattern = parseTopicPattern(name);
    if (!pattern) return undefined;
    rules.push({ pattern, perSecond: Number(digits) });
  }
  return (topic) => rules.find(({ pattern }) => pattern(topic))?.perSecond ?? rest;
}

/**
 * Returns the time in milliseconds over which this relay's subscribers should spread their refetch, to keep the cluster
 * within the budget of the topic. A relay's share of the budget is its share of all connections: the shares add up to
 * the budget however the topic's subscribers are distributed, so no global count per topic is needed.
 * @param options.subscribers of the topic on this relay
 * @param options.connections of this relay
 */
export function spreadMs(options: {
  perSecond: number;
  subscribers: number;
  connections: number;
  clusterConnections: number;
  maxMs: number;
}): number {
  const { perSecond, subscribers, connections, clusterConnections, maxMs } = options;
  if (perSecond === 0 || subscribers === 0 || connections === 0) return 0;
  const share = connections / Math.max(connections, clusterConnections);
  const wanted = (subscribers / (perSecond * share)) * 1000;
  return wanted < MIN_SPREAD_MS ? 0 : Math.min(Math.round(wanted), maxMs);
}
