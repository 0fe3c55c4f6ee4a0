import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';
import type { Hub } from '../hub/hub.ts';
import type { Member } from '../hub/waiting-members.ts';

/** What is owed for a topic of a session that is not answered with a number yet. */
export interface Pending {
  readonly since: Version | null;
  /** By the clock that never steps. */
  readonly joinedAtMs: number;
  saidNull: boolean;
}

/**
 * The numbers of a session's topics that can be said and were not; null where nobody can vouch. It is called back
 * for all of them, since that may have come before, when there was no room.
 */
export function owedNumbers(
  hub: Pick<Hub, 'vouches' | 'current' | 'fresh' | 'awaitAnswer'>,
  session: Member,
  owed: ReadonlyMap<Topic, Pending>,
): Map<Topic, Version | null> {
  const numbers = new Map<Topic, Version | null>();
  for (const [topic, pending] of owed) {
    hub.awaitAnswer(topic, session);
    if (hub.vouches(topic)) numbers.set(topic, hub.current(topic).version);
    else if (!hub.fresh && !pending.saidNull) numbers.set(topic, null);
  }
  return numbers;
}
