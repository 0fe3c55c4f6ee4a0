import { readFileSync } from 'node:fs';

/** Files that a relay needs for itself: libraries, logs, Redis, the admin port. */
const OWN_FILES = 200;
const UNKNOWN_LIMIT = 10_000;

/** How many connections this process can have open by its limit of files. */
export function connectionsByFileLimit(limits: string = readLimits()): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  if (soft === undefined) return UNKNOWN_LIMIT;
  if (soft === 'unlimited') return 0;
  return Math.max(1, Number(soft) - OWN_FILES);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return ''; // no Linux
  }
}
