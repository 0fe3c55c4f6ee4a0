import { AppError } from '../../shared/errors.ts';
import { parseBearerToken } from '../../shared/protocol/bearer-token.ts';
import { parseTopic, type Topic } from '../../shared/update/topic.ts';
import { parseVersion, type Version } from '../../shared/update/update.ts';
import type { ConnectRequest } from './transport.ts';

/** Parameters that carry `Last-Event-ID`: the first is that of `event-source-polyfill`, for pages that cannot send the header. */
const LAST_EVENT_ID_PARAMETERS = ['lastEventId', 'Last-Event-ID'];

/**
 * Parses the query of a client's URL: `topic` (repeated), `since` (comma-separated versions in the order of the topics;
 * an empty one is null) and `token`, which may also come as `Authorization: Bearer`.
 * @param options.lastEventId the header `Last-Event-ID`, possibly empty: then the query may have it. Undefined if the transport has none
 * @throws {AppError} `invalid_topic`, `invalid_since` or `too_many_topics`
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
  const lastEventId = options.lastEventId === undefined ? '' : options.lastEventId || readLastEventId(parameters);
  const since = lastEventId
    ? parseLastEventId(lastEventId, topics.length)
    : parseSince(parameters.get('since'), topics.length);
  return {
    topics: new Map(topics.map((topic, i) => [topic, since[i] ?? null])),
    token: parseToken(parameters, options.authorization),
  };
}

/** Returns the token of a request: from its query, or else from `Authorization: Bearer`. Undefined if it is empty. */
export function parseToken(query: URLSearchParams, authorization: string | undefined): string | undefined {
  return query.get('token') || parseBearerToken(authorization);
}

function readLastEventId(query: URLSearchParams): string {
  return LAST_EVENT_ID_PARAMETERS.map((name) => query.get(name)).find(Boolean) ?? '';
}

/**
 * Returns the same text as a property name, of which the engine keeps one copy for all clients. The parsed text is a slice
 * of the URL, and would keep the whole URL, token included, in memory as long as the client is connected.
 */
function intern(topic: Topic): Topic {
  return Object.keys({ [topic]: topic })[0] as Topic;
}

/** Parses the `Last-Event-ID` of an `EventSource`, which has the form of `since`. An invalid one counts as old versions: notify. */
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
