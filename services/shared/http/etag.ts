import { createHash } from 'node:crypto';

/** Returns the entity tag (RFC 9110, section 8.8.3) of a file, a hash of its content. */
export function etagOf(bytes: string | Buffer): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
}

/** Appended to an entity tag by servers and proxies that compress the content: two forms, since a tag may end with a hyphen. */
const CODING_SUFFIXES = [/-(?:gzip|br|zstd|deflate)$/, /--(?:gzip|br|zstd|deflate)$/];

/** The entity tags of `If-None-Match` without quotes, or `*`: any content. */
export type KnownTags = ReadonlySet<string> | '*';

/**
 * Parses `If-None-Match` (RFC 9110, section 13.1.2), whose tags are compared weakly: `W/` does not count. Proxies that
 * compress the content change its tag, so a tag with the suffix of a coding also counts without.
 */
export function parseIfNoneMatch(text: string): KnownTags {
  if (text.trim() === '*') return '*';
  const tags = new Set<string>();
  for (const [, tag = ''] of text.matchAll(/"([\x21\x23-\x7e\x80-\xff]*)"/g)) {
    tags.add(tag);
    for (const suffix of CODING_SUFFIXES) tags.add(tag.replace(suffix, ''));
  }
  return tags;
}

/** Returns whether the caller has the content with this entity tag, so that the response is 304. */
export function isNotModified(ifNoneMatch: string, etag: string): boolean {
  const known = parseIfNoneMatch(ifNoneMatch);
  return known === '*' || known.has(etag.slice(1, -1));
}
