import type { ServerMessage } from '../shared/protocol/server-message.ts';

/** The newest known version of each subscribed topic; null until one is known. */
export type KnownVersions = Map<string, number | null>;

/** Records the versions that a message carries, of subscribed topics only. */
export function recordVersions(known: KnownVersions, message: ServerMessage): void {
  if (message.type === 'update') {
    if (known.has(message.topic)) known.set(message.topic, message.version);
  } else if (message.type === 'subscribed') {
    for (const [topic, version] of Object.entries(message.topics)) {
      // If a version is known and the relay's differs, an update follows. Until it arrives the known version stays:
      // otherwise the update would be lost with a connection that ends in between. If the relay is stale, any change
      // since this subscription may have been missed: version 0 makes the next connection report it.
      if (known.get(topic) === null) known.set(topic, version ?? 0);
    }
  }
}
