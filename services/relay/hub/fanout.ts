import type { Update } from '../../shared/update/update.ts';
import type { RepairReport } from './repair.ts';

/** Tells this node's clients. */
export interface Fanout {
  /**
   * Tells all who listen to the update's topic; returns how many. A paced update leaves out those who cannot
   * spread their refetch by themselves: `pace` is for them.
   */
  deliver(update: Update, paced: boolean): number;
  /** Tells everybody whether this relay can vouch for what it says. */
  sendFreshness(fresh: boolean): void;
  /** Tells those who cannot spread their refetch of what changed since the mark, one after another. */
  pace(mark: number, windowMs: number): void;
}

/** What the hub reports, for metrics. */
export interface HubReport extends RepairReport {
  /** One update was handed to this many clients; live unless it is a raised floor. */
  delivered(update: Update, clients: number, live: boolean): void;
  /** An update has arrived that is news; where a digest brought it, with when that was asked for. */
  received?(update: Update, digestAskedAtMs?: number): void;
  /** An update was replaced by a newer one before anybody was told. */
  conflated(): void;
}
