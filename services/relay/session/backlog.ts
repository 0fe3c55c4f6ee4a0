import type { Topic } from '../../shared/update/topic.ts';
import type { FlushPosition } from '../hub/flushes.ts';
import type { Connection } from '../transport/transport.ts';
import type { SessionHub, SessionReport } from './session-ports.ts';

/**
 * The missing updates of a client that is behind because of backpressure: not a queue, only the flush position from which
 * deliveries may be missing. Exists only while the client is behind.
 */
export class Backlog {
  #since: FlushPosition;

  constructor(since: FlushPosition) {
    this.#since = since;
  }

  /** Includes deliveries from an earlier position on. */
  extend(since: FlushPosition): void {
    if (since < this.#since) this.#since = since;
  }

  /** The first position that may be missing. */
  get since(): FlushPosition {
    return this.#since;
  }

  /** Sends the relay's freshness if the last change of it is missing. Returns false if it did not fit. */
  sendFreshness(hub: SessionHub, connection: Connection): boolean {
    return hub.freshnessFlush < this.#since || connection.sendFreshness(hub.fresh);
  }

  /**
   * Sends the newest update of each topic that is missing, in the order of delivery. Returns whether all fitted; if not,
   * call again once there is room.
   */
  sendUpdates(deps: {
    hub: SessionHub;
    report: SessionReport;
    topics: Iterable<Topic>;
    connection: Connection;
  }): boolean {
    const { hub, report, topics, connection } = deps;
    const missing = [...topics]
      .map((topic) => ({ topic, position: hub.flushOf(topic) }))
      .filter(({ position }) => position >= this.#since)
      .sort((a, b) => a.position - b.position);
    for (const { topic, position } of missing) {
      const update = hub.current(topic);
      if (!connection.sendUpdate(update)) {
        this.#since = position;
        return false;
      }
      report.sentLate(update);
      // A delivery with a spread leaves out clients that cannot spread their refetch, and does not count them.
      if (!connection.supportsSpread && update.spread) report.sentPaced();
    }
    return true;
  }
}
