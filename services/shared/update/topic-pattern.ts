import { isTopic, type Topic } from './topic.ts';

/** Returns whether a topic matches. */
export type TopicPattern = (topic: Topic) => boolean;

/** Parses a pattern: a topic name, or a prefix of one followed by `*`; undefined if it is invalid. */
export function parseTopicPattern(text: unknown): TopicPattern | undefined {
  if (isTopic(text)) return (topic) => topic === text;
  if (typeof text !== 'string' || !text.endsWith('*')) return undefined;
  const prefix = text.slice(0, -1);
  if (prefix !== '' && !isTopic(prefix)) return undefined;
  return (topic) => topic.startsWith(prefix);
}

/** Parses several patterns into one that matches if any of them does; undefined if one of them is invalid. */
export function parseTopicPatterns(texts: readonly unknown[]): TopicPattern | undefined {
  const patterns: TopicPattern[] = [];
  for (const text of texts) {
    const pattern = parseTopicPattern(text);
    if (!pattern) return undefined;
    patterns.push(pattern);
  }
  return (topic) => patterns.some((matches) => matches(topic));
}
