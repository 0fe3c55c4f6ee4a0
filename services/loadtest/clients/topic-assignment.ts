import { evenly } from './transport-mix.ts';

/** Who listens to what, and what is published when: the same in every process, so that nothing has to be told. */
export interface TopicChoice {
  readonly topics: number;
  readonly topicsPerClient: number;
  readonly spread: 'even' | 'zipf';
  readonly prefix: string;
}

/** The name of the n-th topic. */
export function topicName({ prefix }: TopicChoice, topic: number): string {
  return `${prefix}${topic}`;
}

/** The number of a topic; -1 where it is none of ours. */
export function topicNumber({ prefix, topics }: TopicChoice, name: string): number {
  const number = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : -1;
  return Number.isInteger(number) && number >= 0 && number < topics ? number : -1;
}

/**
 * The first topic of a client; the others follow it, from the last on to the first. With `zipf`, a topic's clients go
 * down with its number.
 */
export function firstTopic({ topics, spread }: TopicChoice, client: number): number {
  if (spread === 'even') return client % topics;
  // The inverse of the continuous form of 1/(n+1).
  return Math.min(topics - 1, Math.floor((topics + 1) ** evenly(client, 3)) - 1);
}

/** The numbers of a client's topics. */
export function topicsOf(choice: TopicChoice, client: number): readonly number[] {
  const first = firstTopic(choice, client);
  return Array.from({ length: choice.topicsPerClient }, (_, i) => (first + i) % choice.topics);
}

/** Where a topic stands among a client's; -1 where the client does not listen to it. */
export function placeOf(choice: TopicChoice, client: number, topic: number): number {
  const place = (topic - firstTopic(choice, client) + choice.topics) % choice.topics;
  return place < choice.topicsPerClient ? place : -1;
}
