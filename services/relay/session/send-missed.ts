import type { Topic } from '../../shared/update/topic.ts';
import type { Hub } from '../hub/hub.ts';
import type { Connection } from '../transport/transport.ts';
import type { SessionReport } from './session-deps.ts';

/**
 * Tells the newest version of each topic that changed since a mark of the hub, the oldest change first. Returns where
 * there was no room any more, as a mark; undefined where all went out.
 */
export function sendMissed(deps: {
  hub: Hub;
  report: SessionReport;
  topics: Iterable<Topic>;
  connection: Connection;
  since: number;
}): number | undefined {
  const { hub, report, topics, connection, since } = deps;
  const missed = [...topics]
    .map((topic) => ({ topic, flush: hub.flushOf(topic) }))
    .filter(({ flush }) => flush >= since)
    .sort((a, b) => a.flush - b.flush);
  for (const { topic, flush } of missed) {
    const update = hub.current(topic);
    if (!connection.sendUpdate(update)) return flush;
    report.sentLate?.(update);
    // Those of 2009 were left out when it was told to all.
    if (connection.transport === 'legacy' && update.spread) report.sent();
  }
  return undefined;
}
