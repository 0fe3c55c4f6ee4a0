import { encodeUpdateMessage, type ServerMessage } from '../../shared/protocol/server-message.ts';
import type { TransportName } from '../../shared/protocol/transport-name.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';

/** Turns what a relay sends into one wire format. Returns undefined for messages that the format does not have. */
export interface MessageEncoder {
  readonly transport: TransportName;
  /** Whether clients of this format spread their refetch themselves, by the field `spread`. */
  readonly supportsSpread: boolean;
  /** Whether client messages have a meaning in this format. If not, they only keep the connection alive. */
  readonly acceptsMessages: boolean;
  update(update: Update): string;
  /** @param versions the current version of each topic; null while the relay is stale */
  subscribed(versions: ReadonlyMap<Topic, Version | null>): string | undefined;
  freshness(fresh: boolean): string | undefined;
  pong(): string | undefined;
  error(code: string, topic?: Topic): string | undefined;
}

const render = (message: ServerMessage): string => JSON.stringify(message);

/** The current protocol: JSON messages, at `/ws` and as the data of Server-Sent Events. */
export const JSON_ENCODER: MessageEncoder = {
  transport: 'websocket',
  supportsSpread: true,
  acceptsMessages: true,
  update: encodeUpdateMessage,
  subscribed: (versions) => render({ type: 'subscribed', topics: Object.fromEntries(versions) }),
  freshness: (fresh) => render({ type: 'freshness', fresh }),
  pong: () => render({ type: 'pong' }),
  error: (code, topic) => render({ type: 'error', code, ...(topic === undefined ? {} : { topic }) }),
};

/** The legacy protocol at `/update_check`: one word for every update, and nothing else. */
export const LEGACY_ENCODER: MessageEncoder = {
  transport: 'legacy',
  supportsSpread: false,
  acceptsMessages: false,
  update: () => 'UPDATED',
  subscribed: () => undefined,
  freshness: () => undefined,
  pong: () => undefined,
  error: () => undefined,
};
