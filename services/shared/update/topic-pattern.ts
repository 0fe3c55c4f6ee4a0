import { isTopic, type Topic } from './topic.ts';

/** Which topics something is about. */
export type TopicPattern = (topic: Topic) => boolean;

/** Reads a pattern: a topic name, or a beginning of one followed by `*`; undefined where it is neither. */
export function parseTopicPattern(text: unknown): TopicPattern | undefined {
  if (isTopic(text)) return (topic) => topic === text;
  if (typeof text !== 'string' || !text.endsWith('*')) return undefined;
  const prefix = text.slice(0, -1);
  if (prefix !== '' && !isTopic(prefix)) return undefined;
  return (topic) => topic.startsWith(prefix);
}

/** Reads several patterns into one that is about what any of them is about; undefined where one is none. */
export function parseTopicPatterns(texts: readonly unknown[]): TopicPattern | undefined {
  const patterns: TopicPattern[] = [];
  for (const text of texts) {
    const pattern = parseTopicPattern(text);
    if (!pattern) return undefined;
    patterns.push(pattern);
  }
  return (topic) => patterns.some((matches) => matches(topic));
}
