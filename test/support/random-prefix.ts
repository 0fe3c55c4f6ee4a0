import { randomUUID } from 'node:crypto';

/** A key prefix of its own, so that tests can share one Redis; the rules in the README allow it. */
export function randomPrefix(): string {
  return `heliograph:test-${randomUUID()}`;
}
