import { connectionsByFileLimit } from '../../relay/access/file-limit.ts';
import type { Check } from './check.ts';

/** With fewer clients, the limit is more likely a default of the system than a choice. */
const FEW_CLIENTS = 5000;

/** Checks whether the limit of open files leaves room for the clients of a relay. */
export function checkFileLimit(maxConnections: number, possible: number = connectionsByFileLimit()): Check {
  const name = 'files';
  if (possible === 0) return { status: 'ok', name, text: 'no limit of open files' };
  const limit = `the limit of open files leaves room for ${possible} clients`;
  if (maxConnections > possible) {
    return { status: 'fail', name, text: `${limit}, and MAX_CONNECTIONS is ${maxConnections}: raise it (ulimit -n)` };
  }
  if (possible < FEW_CLIENTS) return { status: 'warn', name, text: `${limit}: raise it for more (ulimit -n)` };
  return { status: 'ok', name, text: limit };
}
