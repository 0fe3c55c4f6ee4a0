/** The data of an update that the load test published, besides padding. */
export interface UpdateStamp {
  /** The due time of the update, in milliseconds since 1970. */
  readonly dueMs: number;
  /** The position among the updates of its topic, from 1. */
  readonly sequence: number;
}

/** A message of a relay, reduced to the parts that the load test needs. */
export type RelayMessage =
  | {
      readonly type: 'update';
      readonly topic: string;
      readonly version: number;
      readonly stamp: UpdateStamp | undefined;
    }
  | { readonly type: 'subscribed'; readonly versions: readonly (readonly [topic: string, version: number | null])[] }
  | { readonly type: 'error'; readonly code: string }
  | { readonly type: 'other' };

const OTHER: RelayMessage = { type: 'other' };

/** Parses a message of a relay or a response of `/topics/`; unknown content is `other`. */
export function readRelayMessage(text: string): RelayMessage {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch {
    return OTHER;
  }
  if (typeof value !== 'object' || value === null) return OTHER;
  const { type = 'update', topic, version, data, topics, code } = value;
  if (type === 'update' && typeof topic === 'string' && typeof version === 'number') {
    return { type, topic, version, stamp: readStamp(data) };
  }
  if (type === 'subscribed' && typeof topics === 'object' && topics !== null) {
    return { type, versions: Object.entries(topics).filter(isVersioned) };
  }
  if (type === 'error' && typeof code === 'string') return { type, code };
  return OTHER;
}

function isVersioned(entry: [string, unknown]): entry is [string, number | null] {
  return entry[1] === null || typeof entry[1] === 'number';
}

function readStamp(data: unknown): UpdateStamp | undefined {
  const { dueMs, sequence } = (data ?? {}) as Partial<UpdateStamp>;
  return typeof dueMs === 'number' && typeof sequence === 'number' ? { dueMs, sequence } : undefined;
}

const SLOTS = 256;
const SAMPLED_BYTES = 160;

/**
 * Parses each distinct message once, although many clients receive it. Messages are looked up by their length and first
 * bytes, which hold version and stamp, and then compared in full.
 */
export class RelayMessageCache {
  readonly #bytes: (Buffer | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #messages: RelayMessage[] = new Array(SLOTS).fill(OTHER);

  read(payload: Buffer): RelayMessage {
    const slot = slotOf(payload);
    if (this.#bytes[slot]?.equals(payload)) return this.#messages[slot] as RelayMessage;
    const message = readRelayMessage(payload.toString());
    this.#bytes[slot] = Buffer.from(payload);
    this.#messages[slot] = message;
    return message;
  }
}

function slotOf(payload: Buffer): number {
  let hash = payload.length;
  const end = Math.min(payload.length, SAMPLED_BYTES);
  for (let i = 0; i < end; i += 1) hash = (Math.imul(hash, 31) + (payload[i] as number)) | 0;
  return (hash ^ (hash >>> 16)) & (SLOTS - 1);
}
