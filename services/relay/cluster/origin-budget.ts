import type { Topic } from '../../shared/update/topic.ts';
import { parseTopicPattern, type TopicPattern } from '../../shared/update/topic-pattern.ts';

/** How many requests a second the app behind us wants to get from the clients of a topic. */
export type OriginBudget = (topic: Topic) => number;

/** Below this nobody would notice that refetches are spread, in milliseconds. */
const MIN_SPREAD_MS = 100;

/**
 * Reads budgets: a number for all topics, and `<topic or pattern>=<number>` for some, of which the first that fits
 * counts. 0 is no limit. undefined where one cannot be read.
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
 * Over how many milliseconds this relay's listeners should spread their refetch, so that those of all relays stay
 * within the budget. Each relay takes a part of the budget that is as large as its part of all connections: the
 * parts add up to the budget however a topic's listeners are distributed, and nobody has to count them anywhere.
 */
export function spreadMs(options: {
  perSecond: number;
  /** Of the topic, on this relay. */
  listeners: number;
  connections: number;
  clusterConnections: number;
  maxMs: number;
}): number {
  const { perSecond, listeners, connections, clusterConnections, maxMs } = options;
  if (perSecond === 0 || listeners === 0 || connections === 0) return 0;
  const share = connections / Math.max(connections, clusterConnections);
  const wanted = (listeners / (perSecond * share)) * 1000;
  return wanted < MIN_SPREAD_MS ? 0 : Math.min(Math.round(wanted), maxMs);
}
