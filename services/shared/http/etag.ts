import { createHash } from 'node:crypto';

/** The entity tag (RFC 9110, section 8.8.3) of a file: the same for the same bytes, whoever serves it. */
export function etagOf(bytes: string | Buffer): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
}
