import { evenSpread } from './transport-mix.ts';

/** Assigns topics to clients by computation, so that every process derives the same result without coordination. */
export interface TopicAssignment {
  readonly topics: number;
  readonly topicsPerClient: number;
  readonly spread: 'even' | 'zipf';
  readonly prefix: string;
}

/** Returns the name of a topic. */
export function topicName({ prefix }: TopicAssignment, topic: number): string {
  return `${prefix}${topic}`;
}

/** Returns the index of a topic; -1 if it does not belong to this test. */
export function topicNumber({ prefix, topics }: TopicAssignment, name: string): number {
  const number = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : -1;
  return Number.isInteger(number) && number >= 0 && number < topics ? number : -1;
}

/**
 * Returns the first topic of a client; the others follow it, wrapping around after the last topic. With `zipf`, topics
 * with a higher index have fewer clients.
 */
export function firstTopic({ topics, spread }: TopicAssignment, client: number): number {
  if (spread === 'even') return client % topics;
  // The inverse of the continuous form of 1/(n+1).
  return Math.min(topics - 1, Math.floor((topics + 1) ** evenSpread(client, 3)) - 1);
}

/** Returns the topics of a client. */
export function topicsOf(assignment: TopicAssignment, client: number): readonly number[] {
  const first = firstTopic(assignment, client);
  return Array.from({ length: assignment.topicsPerClient }, (_, i) => (first + i) % assignment.topics);
}

/** Returns the position of a topic among those of a client; -1 if the client is not subscribed to it. */
export function positionOf(assignment: TopicAssignment, client: number, topic: number): number {
  const position = (topic - firstTopic(assignment, client) + assignment.topics) % assignment.topics;
  return position < assignment.topicsPerClient ? position : -1;
}
