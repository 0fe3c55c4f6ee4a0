import { readFileSync } from 'node:fs';

/** Files that a relay needs for other purposes: libraries, logs, Redis, the admin port. */
const OWN_FILES = 100;
/** Files for sockets that are not admitted: to read a request, and to refuse it. */
const PENDING_FILES = 100;
const UNKNOWN_LIMIT = 10_000;

/** Returns the number of clients that the file limit of this process allows; 0 for no limit. */
export function connectionsByFileLimit(limits: string = readLimits()): number {
  const files = readFiles(limits) ?? UNKNOWN_LIMIT + OWN_FILES + PENDING_FILES;
  return files === Number.POSITIVE_INFINITY ? 0 : Math.max(1, files - OWN_FILES - PENDING_FILES);
}

/**
 * Returns the number of sockets at the public port, admitted or not, that the file limit of this process allows; 0 for no
 * known limit. Without files left, connections to Redis and the admin port fail, and accepting sockets spins.
 */
export function socketsByFileLimit(limits: string = readLimits()): number {
  const files = readFiles(limits) ?? Number.POSITIVE_INFINITY;
  return files === Number.POSITIVE_INFINITY ? 0 : Math.max(1, files - OWN_FILES);
}

function readFiles(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return ''; // not Linux
  }
}
