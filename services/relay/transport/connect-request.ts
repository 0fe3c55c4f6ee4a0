import { AppError } from '../../shared/errors.ts';
import { parseBearerToken } from '../../shared/protocol/bearer-token.ts';
import { parseTopic, type Topic } from '../../shared/update/topic.ts';
import { parseVersion, type Version } from '../../shared/update/update.ts';
import type { ConnectRequest } from './transport.ts';

/**
 * Reads what a client asks for in its URL: `topic` (repeated), `since` (versions with commas, aligned with
 * the topics; an empty one counts as none) and `token`, which may also come as `Authorization: Bearer`. Throws
 * `invalid_topic`, `invalid_since` or `too_many_topics`.
 */
export function parseConnectRequest(
  query: string,
  options: { maxTopics: number; defaultTopic?: Topic; authorization?: string; lastEventId?: string },
): ConnectRequest {
  const parameters = new URLSearchParams(query);
  const names = parameters.getAll('topic');
  if (names.length > options.maxTopics) throw new AppError('too_many_topics');
  const topics = names.map((name) => intern(parseTopic(name)));
  if (topics.length === 0 && options.defaultTopic !== undefined) topics.push(options.defaultTopic);
  const { lastEventId } = options;
  const since = lastEventId
    ? parseLastEventId(lastEventId, topics.length)
    : parseSince(parameters.get('since'), topics.length);
  return {
    topics: new Map(topics.map((topic, i) => [topic, since[i] ?? null])),
    token: parameters.get('token') ?? parseBearerToken(options.authorization),
  };
}

/**
 * The same text as a name of properties, which exists once however many clients name it. As it was read it is a part
 * of the URL, and would keep all of that, token included, for as long as the client stays.
 */
function intern(topic: Topic): Topic {
  return Object.keys({ [topic]: topic })[0] as Topic;
}

/**
 * Reads what an `EventSource` got last, as `since` is written. In doubt everything is news: a text that is not
 * ours counts as versions of long ago.
 */
function parseLastEventId(text: string, topics: number): (Version | null)[] {
  try {
    return parseSince(text, topics);
  } catch {
    return Array(topics).fill(0);
  }
}

function parseSince(text: string | null, topics: number): (Version | null)[] {
  if (text === null || text === '') return [];
  const versions = text.split(',').map((item) => {
    if (item === '') return null;
    const version = parseVersion(item);
    if (version === undefined) throw new AppError('invalid_since');
    return version;
  });
  if (versions.length !== topics) throw new AppError('invalid_since');
  return versions;
}
