import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';
import type { Hub } from '../hub/hub.ts';
import type { Subscriber } from '../hub/pending-subscribers.ts';
import type { Connection } from '../transport/transport.ts';
import { isNews } from './is-news.ts';
import type { SessionReport } from './session-deps.ts';
import type { Pending, SessionTopics } from './session-topics.ts';

/**
 * Says the numbers of a session's topics that can be said and were not, and tells who comes back with another one.
 * False where not all of that fits: what is left stays owed, and is said once there is room.
 */
export function sendOwedNumbers(deps: {
  hub: Hub;
  report: Pick<SessionReport, 'sent'>;
  session: Subscriber;
  topics: SessionTopics;
  connection: Connection;
}): boolean {
  const { hub, report, session, topics, connection } = deps;
  const numbers = owedNumbers(hub, session, topics.owed);
  if (numbers.size === 0) return true;
  if (!connection.sendSubscribed(numbers)) return false;
  for (const [topic, number] of numbers) {
    const pending = topics.owed.get(topic);
    if (!pending) continue;
    pending.saidNull ||= number === null;
    if (number === null) continue;
    const update = hub.current(topic);
    // What it is about to hear with all the others it need not be told twice.
    const news = !hub.isDeliveryPending(topic) && isNews(hub, pending, update, connection.transport);
    if (news && !connection.sendUpdate(update)) return false;
    // Who has nothing fetches the register, whatever it is.
    if (news && pending.since !== 0) report.sent();
    topics.settle(topic);
  }
  return true;
}

/**
 * The numbers of a session's topics that can be said and were not; null where nobody can vouch. It is called back
 * for all of them, since that may have come before, when there was no room.
 */
function owedNumbers(hub: Hub, session: Subscriber, owed: ReadonlyMap<Topic, Pending>): Map<Topic, Version | null> {
  const numbers = new Map<Topic, Version | null>();
  for (const [topic, pending] of owed) {
    hub.awaitFreshness(topic, session);
    if (hub.isFresh(topic)) numbers.set(topic, hub.current(topic).version);
    else if (!hub.fresh && !pending.saidNull) numbers.set(topic, null);
  }
  return numbers;
}
