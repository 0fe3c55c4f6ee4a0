import { AppError } from '../errors.ts';
import { isTopic, type Topic } from '../update/topic.ts';
import { isVersion, type Version } from '../update/update.ts';

/** A message from a client on `/ws`. */
export type ClientMessage =
  | { readonly type: 'subscribe'; readonly topics: ReadonlyMap<Topic, Version | null> }
  | { readonly type: 'unsubscribe'; readonly topics: readonly Topic[] }
  | { readonly type: 'auth'; readonly token: string }
  | { readonly type: 'ping' };

/** Maximum number of topics in one message; the size of a message is limited too. */
export const MAX_TOPICS_PER_MESSAGE = 1000;

/**
 * Parses a text frame. One invalid topic makes the whole message invalid.
 *
 * @throws {AppError} invalid_json, unknown_type, invalid_message or invalid_topic
 */
export function parseClientMessage(text: string): ClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('invalid_json');
  }
  if (!isObject(value)) throw new AppError('invalid_message');
  switch (value.type) {
    case 'subscribe':
      return { type: 'subscribe', topics: parseTopicVersions(value.topics) };
    case 'unsubscribe':
      return { type: 'unsubscribe', topics: parseTopicList(value.topics) };
    case 'auth':
      if (typeof value.token !== 'string') throw new AppError('invalid_message');
      return { type: 'auth', token: value.token };
    case 'ping':
      return { type: 'ping' };
    default:
      throw new AppError('unknown_type');
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseTopicVersions(value: unknown): ReadonlyMap<Topic, Version | null> {
  if (!isObject(value)) throw new AppError('invalid_message');
  const entries = Object.entries(value);
  if (entries.length === 0 || entries.length > MAX_TOPICS_PER_MESSAGE) throw new AppError('invalid_message');
  const topics = new Map<Topic, Version | null>();
  for (const [topic, since] of entries) {
    if (!isTopic(topic)) throw new AppError('invalid_topic');
    if (since !== null && !isVersion(since)) throw new AppError('invalid_message');
    topics.set(topic, since);
  }
  return topics;
}

function parseTopicList(value: unknown): readonly Topic[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_TOPICS_PER_MESSAGE) {
    throw new AppError('invalid_message');
  }
  for (const topic of value) if (!isTopic(topic)) throw new AppError('invalid_topic');
  return value as Topic[];
}
