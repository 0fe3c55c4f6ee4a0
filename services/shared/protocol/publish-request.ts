import { AppError } from '../errors.ts';
import { type JsonMember, type JsonText, splitJsonObject } from '../update/json-text.ts';
import { isTopic, type Topic } from '../update/topic.ts';

/** An update of one topic or more, as in the body of `POST /webhook`. */
export interface PublishRequest {
  /** At least one, without duplicates, in the order of the request. */
  readonly topics: readonly Topic[];
  /** Any JSON value; absent and `null` are different things. */
  readonly data?: JsonText;
  /** Milliseconds over which clients should spread their refetch, instead of the spread that relays calculate. */
  readonly spread?: number;
}

export const MAX_TOPICS_PER_REQUEST = 100;

/** The only member of a body with updates that differ. */
const UPDATES = 'updates';
const MEMBERS = ['topic', 'topics', 'data', 'spread'];
/** Characters of an unknown name that an error repeats. */
const MAX_SHOWN_LENGTH = 100;

/** The longest spread that a publisher may request, in milliseconds. */
export const MAX_REQUESTED_SPREAD_MS = 3_600_000;

/** Maximum nesting of arrays and objects within `data`, because JSON parsers and serializers recurse. */
export const MAX_DATA_DEPTH = 64;

/**
 * Parses the body of a publish request: `topic` or `topics`, and optionally `data` and `spread`. Refuses other members: a misspelled
 * `data` would be lost. One invalid topic makes the whole request invalid. `data` is returned as it was sent, without the
 * whitespace between its tokens.
 *
 * @throws {AppError} invalid_json, invalid_request, unknown_member, invalid_topic or too_many_topics
 */
export function parsePublishRequest(text: string): PublishRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('invalid_json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', 'The body must be a JSON object');
  }
  const fields = new Map(Object.entries(value));
  requireKnownMembers(fields.keys());
  const topics = parseTopics(fields);
  const data = fields.has('data') ? parseData(splitJsonObject(text).get('data')) : undefined;
  const spread = parseSpread(fields.get('spread'));
  return { topics, ...(data === undefined ? {} : { data }), ...(spread === undefined ? {} : { spread }) };
}

/**
 * Parses the body of `POST /webhook`: a publish request, or `updates` with a list of them, no topic of which is there twice.
 *
 * @throws {AppError} as `parsePublishRequest` does
 */
export function parsePublishBody(text: string): readonly PublishRequest[] {
  let updates: JsonMember | undefined;
  try {
    if (Object.hasOwn(Object(JSON.parse(text)), UPDATES)) updates = splitJsonObject(text).get(UPDATES);
  } catch {
    throw new AppError('invalid_json');
  }
  if (updates === undefined) return [parsePublishRequest(text)];
  if (splitJsonObject(text).size > 1) {
    throw new AppError('unknown_member', 'A body with updates must have no other members');
  }
  const items = updates.text.startsWith('[') ? [...splitJsonObject(updates.text).values()] : [];
  if (items.length === 0) throw new AppError('invalid_request', 'updates must be a list of one or more objects');
  const requests = items.map((item) => parsePublishRequest(item.text));
  const topics = requests.flatMap((request) => request.topics);
  if (requireTopics(topics).length === topics.length) return requests;
  const twice = topics.find((topic, i) => topics.indexOf(topic) !== i);
  throw new AppError('invalid_request', `updates must not have a topic twice, as ${twice}`);
}

function requireKnownMembers(names: Iterable<string>): void {
  for (const name of names) {
    if (MEMBERS.includes(name)) continue;
    const shown = JSON.stringify(name.slice(0, MAX_SHOWN_LENGTH));
    throw new AppError(
      'unknown_member',
      `The body may have the members ${MEMBERS.join(', ')}, or only ${UPDATES}, not ${shown}`,
    );
  }
}

/**
 * Checks the nesting of `data`, and returns its text; undefined without data.
 *
 * @throws {AppError} invalid_request
 */
export function parseData(data: JsonMember | undefined): JsonText | undefined {
  if (data && data.depth > MAX_DATA_DEPTH) {
    throw new AppError('invalid_request', `data is nested deeper than ${MAX_DATA_DEPTH} levels`);
  }
  return data?.text;
}

/**
 * Checks a requested spread, in milliseconds; undefined stays undefined.
 *
 * @throws {AppError} invalid_request
 */
export function parseSpread(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > MAX_REQUESTED_SPREAD_MS) {
    throw new AppError('invalid_request', `spread must be milliseconds from 0 to ${MAX_REQUESTED_SPREAD_MS}`);
  }
  return value as number;
}

function parseTopics(fields: ReadonlyMap<string, unknown>): readonly Topic[] {
  const one = fields.get('topic');
  const many = fields.get('topics');
  if ((one === undefined) === (many === undefined)) {
    throw new AppError('invalid_request', 'Exactly one of topic and topics is required');
  }
  if (many === undefined) {
    if (typeof one !== 'string') throw new AppError('invalid_request', 'topic must be a string');
    return requireTopics([one]);
  }
  if (!Array.isArray(many) || many.length === 0 || many.some((topic) => typeof topic !== 'string')) {
    throw new AppError('invalid_request', 'topics must be a list of one or more strings');
  }
  return requireTopics(many);
}

/**
 * Returns the names as topics, each once.
 *
 * @throws {AppError} invalid_topic or too_many_topics
 */
export function requireTopics(names: readonly string[]): readonly Topic[] {
  const topics = [...new Set(names)];
  if (topics.length > MAX_TOPICS_PER_REQUEST) {
    throw new AppError(
      'too_many_topics',
      `A call may have ${MAX_TOPICS_PER_REQUEST} topics; this one has ${topics.length}`,
    );
  }
  if (!topics.every(isTopic)) throw new AppError('invalid_topic');
  return topics;
}
