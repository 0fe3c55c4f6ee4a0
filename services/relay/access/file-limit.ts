import { readFileSync } from 'node:fs';

/** Files that a relay needs for itself: libraries, logs, Redis, the admin port. */
const OWN_FILES = 100;
/** And those that it keeps for who is no client yet: to read what is asked for, and to say that there is no room. */
const DOORSTEP_FILES = 100;
const UNKNOWN_LIMIT = 10_000;

/** How many clients this process can hold by its limit of files; 0 where there is none. */
export function connectionsByFileLimit(limits: string = readLimits()): number {
  const files = readFiles(limits) ?? UNKNOWN_LIMIT + OWN_FILES + DOORSTEP_FILES;
  return files === Number.POSITIVE_INFINITY ? 0 : Math.max(1, files - OWN_FILES - DOORSTEP_FILES);
}

/**
 * How many sockets this process can have open at its public port, clients or not, by its limit of files; 0 where none
 * is known. Beyond the limit Redis and the admin port could not be reached any more, and accepting would spin.
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
    return ''; // no Linux
  }
}
