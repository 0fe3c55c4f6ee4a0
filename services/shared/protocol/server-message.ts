import type { Update, Version } from '../update/update.ts';

/** A message from a relay on `/ws`, as JSON text. `/events` uses the update and freshness messages too. */
export type ServerMessage = SubscribedMessage | UpdateMessage | FreshnessMessage | PongMessage | ErrorMessage;

/** Confirms a subscription. Sent again once a version that was null is known. */
export interface SubscribedMessage {
  readonly type: 'subscribed';
  /**
   * The current version of each topic, authoritative even if it is lower than that of the client; null while the relay is
   * stale.
   */
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

/** The relay has become fresh or stale. */
export interface FreshnessMessage {
  readonly type: 'freshness';
  readonly fresh: boolean;
}

/** The response to a ping. */
export interface PongMessage {
  readonly type: 'pong';
}

/** A message or a subscription was refused; `code` is one of the documented error codes. */
export interface ErrorMessage {
  readonly type: 'error';
  readonly code: string;
  readonly topic?: string;
}

/** Encodes an update as an `UpdateMessage`, without the trace context, which only the cluster needs. */
export function encodeUpdateMessage(update: Update): string {
  return `{"type":"update",${encodeFields(update)}}`;
}

/** Encodes an update as the body of `/topics/<topic>`: the fields of an `UpdateMessage` except `type`. */
export function encodeRegister(update: Update): string {
  return `{${encodeFields(update)}}`;
}

/** Joins the fields as text: `data` is never parsed, and the characters of a topic need no escapes. */
function encodeFields({ topic, version, data, spread }: Update): string {
  const fields = `"topic":"${topic}","version":${version}`;
  return `${fields}${data === undefined ? '' : `,"data":${data}`}${spread === undefined ? '' : `,"spread":${spread}`}`;
}
