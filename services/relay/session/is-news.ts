import type { TransportName } from '../../shared/protocol/transport-name.ts';
import type { Update } from '../../shared/update/update.ts';
import type { Hub } from '../hub/hub.ts';
import type { Pending } from './session-topics.ts';

/** How young an update must be for a client to be told that has no number to compare, in microseconds. */
const RECENT_US = 60_000_000;

/** Whether a client that joined like this must be told what the topic is now. */
export function isNews(
  hub: Pick<Hub, 'newestVersion' | 'brokerTimeAt'>,
  pending: Pending,
  current: Update,
  transport: TransportName,
): boolean {
  if (pending.since !== null) return pending.since !== current.version;
  // It fetched while nobody could vouch for anything, and nobody knows what has changed since.
  if (pending.saidNull) return true;
  // A client of 2009 cannot say what it has, and fetched its page a moment ago.
  if (transport !== 'legacy') return false;
  const { topic } = current;
  return hub.newestVersion(topic) > hub.brokerTimeAt(topic, pending.joinedAtMs) - RECENT_US;
}
