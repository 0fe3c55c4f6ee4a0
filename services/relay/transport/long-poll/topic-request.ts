import { parseTopic, type Topic } from '../../../shared/update/topic.ts';
import { parseVersion, type Version } from '../../../shared/update/update.ts';

/** The longest that a request may wait for a change, in seconds. */
const MAX_WAIT_S = 25;

/** What somebody wants to know of a topic. */
export interface TopicRequest {
  readonly topic: Topic;
  /** The version that the asker has; null for whichever is current. */
  readonly since: Version | null;
  readonly waitMs: number;
}

/**
 * Reads a request for `/topics/<topic>`. Without `If-None-Match` (RFC 9110, section 13.1.2) everything is news, as
 * it is with one that is not ours. `Prefer: wait=<seconds>` is that of RFC 7240, section 4.3; what cannot be read
 * of it is ignored, as section 2 wants. Throws `invalid_topic`.
 */
export function parseTopicRequest(request: { path: string; ifNoneMatch: string; prefer: string }): TopicRequest {
  return {
    topic: parseTopic(decodePath(request.path)),
    since: parseIfNoneMatch(request.ifNoneMatch),
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

function parseIfNoneMatch(text: string): Version | null {
  if (text.trim() === '*') return null;
  for (const [, digits = ''] of text.matchAll(/"(\d{1,16})"/g)) {
    const version = parseVersion(digits);
    if (version !== undefined) return version;
  }
  return 0;
}

function parseWaitS(text: string): number {
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(text)?.[1];
  return Math.min(Number(seconds ?? 0), MAX_WAIT_S);
}
