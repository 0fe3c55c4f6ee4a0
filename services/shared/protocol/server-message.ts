import type { Update, Version } from '../update/update.ts';

/** What a relay says on `/ws`, as JSON text; `/events` uses the update and freshness shapes too. */
export type ServerMessage = SubscribedMessage | UpdateMessage | FreshnessMessage | PongMessage | ErrorMessage;

/** Answers a subscription, and again where a number could not be said before. */
export interface SubscribedMessage {
  readonly type: 'subscribed';
  /** The number of each topic, authoritative even if lower than the client's; null where the relay cannot vouch yet. */
  readonly topics: Readonly<Record<string, Version | null>>;
}

/** A topic has changed. */
export interface UpdateMessage {
  readonly type: 'update';
  readonly topic: string;
  readonly version: Version;
  readonly data?: unknown;
  /** Milliseconds over which clients should spread their refetch. */
  readonly spread?: number;
}

/** Whether the relay can vouch for what it says. */
export interface FreshnessMessage {
  readonly type: 'freshness';
  readonly fresh: boolean;
}

/** Answers a ping. */
export interface PongMessage {
  readonly type: 'pong';
}

/** Something cannot be had; `code` is one of the documented ones. */
export interface ErrorMessage {
  readonly type: 'error';
  readonly code: string;
  readonly topic?: string;
}

/** The message that tells a client of an update; what only the cluster needs (trace context) stays out. */
export function updateMessage(update: Update): UpdateMessage {
  const { topic, version, data, spread } = update;
  return {
    type: 'update',
    topic,
    version,
    ...(data === undefined ? {} : { data }),
    ...(spread === undefined ? {} : { spread }),
  };
}
