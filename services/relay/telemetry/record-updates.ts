import type { Clock } from '../../shared/clock.ts';
import type { ServiceStats } from '../../shared/trace/service-stats.ts';
import type { Update } from '../../shared/update/update.ts';
import type { Transports } from '../create-transports.ts';
import type { HubReport } from '../hub/fanout.ts';
import type { SessionReport } from '../session/session-deps.ts';
import { UpdateSpans } from './update-spans.ts';

/** What a relay reports to, and hands updates over by. */
export interface RecordedUpdates {
  readonly hub: HubReport;
  readonly session: SessionReport;
  publish(transports: Transports, update: Update, paced: boolean): number;
}

/** Adds the recording of updates to the metrics of a relay; where nothing is recorded, there is nothing added. */
export function recordUpdates(deps: {
  stats: ServiceStats;
  metrics: { readonly hub: HubReport; readonly session: SessionReport };
  clock: Clock;
}): RecordedUpdates {
  const { metrics, clock } = deps;
  const { tracer, bulk: stats } = deps.stats;
  if (!stats) return { ...metrics, publish: (transports, update, paced) => transports.deliver(update, paced) };
  const spans = new UpdateSpans({ tracer, stats, clock });
  return {
    hub: {
      ...metrics.hub,
      received: (update, digestAskedAtMs) => spans.received(update, digestAskedAtMs),
      digested(seconds) {
        metrics.hub.digested(seconds);
        stats.count('digest', seconds * 1000);
      },
      digestFailed() {
        metrics.hub.digestFailed();
        stats.count('digest', 0, true);
      },
    },
    session: { ...metrics.session, sentLate: (update) => spans.sentLate(update) },
    publish(transports, update, paced) {
      const handOvers = transports.deliverTimed(update, paced);
      spans.delivered(update, handOvers);
      return handOvers.reduce((listeners, { clients }) => listeners + clients, 0);
    },
  };
}
