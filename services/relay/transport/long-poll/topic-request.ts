import { parseIfNoneMatch } from '../../../shared/http/etag.ts';
import { parseTopic, type Topic } from '../../../shared/update/topic.ts';
import { parseVersion, type Version } from '../../../shared/update/update.ts';

/** Maximum time that a request may wait for a newer version, in seconds. */
const MAX_WAIT_S = 25;

/** A request for the register of a topic. */
export interface TopicRequest {
  readonly topic: Topic;
  /** The versions that the client has; null if any version will do. */
  readonly known: ReadonlySet<Version> | null;
  /** 0 for an immediate response. */
  readonly waitMs: number;
}

/**
 * Parses a request for `/topics/<topic>`, or `/topics/?topic=<topic>` for topics that proxies and browsers would change in a path, as
 * `a//b`. `If-None-Match` (RFC 9110, section 13.1.2) holds the client's version; without one, or with an invalid one, every version is
 * newer. An invalid `Prefer: wait=<seconds>` is ignored, as RFC 7240 demands (sections 2 and 4.3).
 * @throws {AppError} `invalid_topic`
 */
export function parseTopicRequest(request: {
  path: string;
  query: URLSearchParams;
  ifNoneMatch: string;
  prefer: string;
}): TopicRequest {
  const names = [decodePath(request.path), ...request.query.getAll('topic')].filter((name) => name !== '');
  return {
    topic: parseTopic(names.length === 1 ? names[0] : ''),
    known: parseKnownVersions(request.ifNoneMatch),
    waitMs: parseWaitS(request.prefer) * 1000,
  };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

function parseKnownVersions(ifNoneMatch: string): ReadonlySet<Version> | null {
  const tags = parseIfNoneMatch(ifNoneMatch);
  if (tags === '*') return null;
  return new Set([...tags].map(parseVersion).filter((version) => version !== undefined));
}

function parseWaitS(text: string): number {
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(text)?.[1];
  return Math.min(Number(seconds ?? 0), MAX_WAIT_S);
}
