import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/**
 * Makes the name of a relay: its host (its pod), its process, and a random part, since a container that starts again
 * has the same two.
 */
export function createRelayId(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
}
