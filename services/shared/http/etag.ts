import { createHash } from 'node:crypto';

/** Returns the entity tag (RFC 9110, section 8.8.3) of a file, a hash of its content. */
export function etagOf(bytes: string | Buffer): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
}
