import { randomUUID } from 'node:crypto';

/** A key prefix of its own, so that tests can share one Redis. */
export function randomPrefix(): string {
  return `test-${randomUUID()}`;
}
