import type { Update, Version } from '../../shared/update/update.ts';
import type { TransportName } from '../transport/transport.ts';

/** How young an update must be for a client to be told that has no number to compare, in microseconds. */
const RECENT_US = 60_000_000;

/** A topic of a session that is not answered with a number yet. */
export interface Pending {
  readonly since: Version | null;
  readonly joinedAtMs: number;
  saidNull: boolean;
}

/** Whether a client that joined like this must be told what the topic is now; `news` is the hub's `newsVersion`. */
export function isNews(pending: Pending, current: Update, news: Version, transport: TransportName): boolean {
  if (pending.since !== null) return pending.since !== current.version;
  const recent = pending.joinedAtMs * 1000 - RECENT_US;
  if (pending.saidNull) return current.version > recent;
  // A client of 2009 cannot say what it has, and fetched its page a moment ago.
  return transport === 'update_check' && news > recent;
}
