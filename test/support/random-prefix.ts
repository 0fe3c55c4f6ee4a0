import { randomUUID } from 'node:crypto';

/** Returns a unique key prefix, so that tests can share one Redis. The documented ACL allows it. */
export function randomPrefix(): string {
  return `heliograph:test-${randomUUID()}`;
}
