import type { ServerMessage } from '../shared/protocol/server-message.ts';

/** The newest known version of each topic that is listened to; null where there is none yet. */
export type KnownVersions = Map<string, number | null>;

/** Notes what a message says of the versions of topics that are listened to. */
export function learn(known: KnownVersions, message: ServerMessage): void {
  if (message.type === 'update') {
    if (known.has(message.topic)) known.set(message.topic, message.version);
  } else if (message.type === 'subscribed') {
    for (const [topic, version] of Object.entries(message.topics)) {
      // Where there is a number already and this is another one, an update follows. Until that is here the old
      // one stays, or what it tells would be lost with a line that ends in between. Where the relay cannot vouch,
      // nobody knows what happened since it was first asked: on the next line that must be told.
      if (known.get(topic) === null) known.set(topic, version ?? 0);
    }
  }
}
