/** What a load test puts into an update, beside padding. */
export interface Mark {
  /** When the update was to be published, in milliseconds since 1970. */
  readonly dueMs: number;
  /** Counts the updates of its topic, from 1. */
  readonly sequence: number;
}

/** What a relay says, as far as a load test wants to know it. */
export type Told =
  | { readonly type: 'update'; readonly topic: string; readonly version: number; readonly mark: Mark | undefined }
  | { readonly type: 'subscribed'; readonly numbers: readonly (readonly [topic: string, version: number | null])[] }
  | { readonly type: 'error'; readonly code: string }
  | { readonly type: 'other' };

const OTHER: Told = { type: 'other' };

/** Reads a message of a relay, or a register of `/topics/`. What is none of ours is `other`. */
export function readTold(text: string): Told {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch {
    return OTHER;
  }
  if (typeof value !== 'object' || value === null) return OTHER;
  const { type = 'update', topic, version, data, topics, code } = value;
  if (type === 'update' && typeof topic === 'string' && typeof version === 'number') {
    return { type, topic, version, mark: readMark(data) };
  }
  if (type === 'subscribed' && typeof topics === 'object' && topics !== null) {
    return { type, numbers: Object.entries(topics).filter(isNumbered) };
  }
  if (type === 'error' && typeof code === 'string') return { type, code };
  return OTHER;
}

function isNumbered(entry: [string, unknown]): entry is [string, number | null] {
  return entry[1] === null || typeof entry[1] === 'number';
}

function readMark(data: unknown): Mark | undefined {
  const { dueMs, sequence } = (data ?? {}) as Partial<Mark>;
  return typeof dueMs === 'number' && typeof sequence === 'number' ? { dueMs, sequence } : undefined;
}

const SLOTS = 256;
const SAMPLED_BYTES = 160;

/**
 * Reads messages, each of which many clients get: the same bytes are read once. Looks them up by their length and
 * their first bytes, where versions and marks are, and compares them whole.
 */
export class ToldCache {
  readonly #bytes: (Buffer | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #told: Told[] = new Array(SLOTS).fill(OTHER);

  read(payload: Buffer): Told {
    const slot = slotOf(payload);
    if (this.#bytes[slot]?.equals(payload)) return this.#told[slot] as Told;
    const told = readTold(payload.toString());
    this.#bytes[slot] = Buffer.from(payload);
    this.#told[slot] = told;
    return told;
  }
}

function slotOf(payload: Buffer): number {
  let hash = payload.length;
  const end = Math.min(payload.length, SAMPLED_BYTES);
  for (let i = 0; i < end; i += 1) hash = (Math.imul(hash, 31) + (payload[i] as number)) | 0;
  return (hash ^ (hash >>> 16)) & (SLOTS - 1);
}
