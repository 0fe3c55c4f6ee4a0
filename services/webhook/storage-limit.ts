import { createHash } from 'node:crypto';
import { AppError } from '../shared/errors.ts';
import type { Topic } from '../shared/update/topic.ts';
import type { Credential } from './credential.ts';
import type { LimitReport } from './metrics.ts';

/** What Redis needs for a register besides its topic and `data`, roughly, in bytes. */
const REGISTER_BYTES = 400;
/** What Redis needs for the response to a call with a `webhook-id`, roughly, and for each of its topics besides the name. */
const RESPONSE_BYTES = 300;
const RESPONSE_TOPIC_BYTES = 70;

/** What a call stores. */
export interface StoringCall {
  readonly topics: readonly Topic[];
  /** Bytes of the `data` of each topic. */
  readonly dataBytes: readonly number[];
  /** The key under which the response is stored; undefined if it is not. */
  readonly webhookId: string | undefined;
}

/** Limits the bytes that each credential stores through this process. */
export interface StorageLimit {
  /**
   * Counts the registers and the response of a call. Storing a topic again replaces what it had.
   *
   * @throws {AppError} rate_limited if the credential would exceed its limit
   */
  store(credential: Credential, call: StoringCall): void;
}

/** The bytes that a credential stores, by what they belong to. */
interface Stored {
  readonly data: StoredBytes;
  readonly registers: StoredBytes;
  readonly responses: StoredBytes;
}

/**
 * Creates the storage limit of this process. What a call stores counts until it expires.
 *
 * @param deps.maxBytes for each credential; 0 for no limit
 * @param deps.dataTtlMs time after which Redis deletes `data`
 * @param deps.registerTtlMs time after which Redis deletes the register
 * @param deps.responseTtlMs time after which Redis deletes the response
 * @param deps.nowMs returns the time by the monotonic clock
 */
export function createStorageLimit(deps: {
  maxBytes: number;
  dataTtlMs: number;
  registerTtlMs: number;
  responseTtlMs: number;
  nowMs: () => number;
  report: LimitReport;
}): StorageLimit {
  const { maxBytes, dataTtlMs, registerTtlMs, responseTtlMs, nowMs, report } = deps;
  if (maxBytes === 0) return { store() {} };
  const stores = new Map<string, Stored>();
  const createStored = (): Stored => ({
    data: new StoredBytes(dataTtlMs),
    registers: new StoredBytes(registerTtlMs),
    responses: new StoredBytes(responseTtlMs),
  });

  return {
    store({ id }, { topics, dataBytes, webhookId }) {
      const stored = stores.get(id) ?? createStored();
      stores.set(id, stored);
      const { data, registers, responses } = stored;
      const all = [data, registers, responses];
      const now = nowMs();
      const used = all.reduce((sum, bytes) => sum + bytes.total(now), 0);
      const responseKey = webhookId === undefined ? undefined : digestOf(webhookId);
      const responseBytes = responseSizeOf(topics);
      let added = responseKey === undefined ? 0 : responseBytes - responses.of(responseKey);
      for (const [i, topic] of topics.entries()) {
        added += Math.max(0, (dataBytes[i] ?? 0) - data.of(topic));
        added += Math.max(0, sizeOf(topic) - registers.of(topic));
      }
      if (used + added > maxBytes) {
        report.callLimited('storage');
        const expiresInMs = Math.min(...all.map((bytes) => bytes.expiresInMs(now)), dataTtlMs);
        const retryAfterS = Math.max(1, Math.ceil(expiresInMs / 1000));
        throw new AppError('rate_limited', 'These credentials have stored too much', { retryAfterS });
      }
      if (responseKey !== undefined) responses.put(responseKey, responseBytes, now);
      for (const [i, topic] of topics.entries()) {
        const bytes = dataBytes[i] ?? 0;
        if (bytes > 0) data.put(topic, bytes, now);
        registers.put(topic, sizeOf(topic), now);
      }
    },
  };
}

/** Ids of senders and of batches of CloudEvents may be as long as a body, and would be held for as long as the response. */
function digestOf(webhookId: string): string {
  return createHash('sha256').update(webhookId).digest('base64url');
}

function responseSizeOf(topics: readonly Topic[]): number {
  return topics.reduce((sum, topic) => sum + RESPONSE_TOPIC_BYTES + topic.length, RESPONSE_BYTES);
}

function sizeOf(topic: Topic): number {
  return REGISTER_BYTES + topic.length;
}

/** Bytes by topic, or by the digest of a `webhook-id`, each until its TTL is over. */
class StoredBytes {
  readonly #ttlMs: number;
  /** In the order in which they expire. */
  readonly #entries = new Map<string, { readonly bytes: number; readonly expiresAtMs: number }>();
  #total = 0;

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Returns all bytes, after those that have expired are removed. */
  total(nowMs: number): number {
    for (const [key, { bytes, expiresAtMs }] of this.#entries) {
      if (expiresAtMs > nowMs) break;
      this.#entries.delete(key);
      this.#total -= bytes;
    }
    return this.#total;
  }

  of(key: string): number {
    return this.#entries.get(key)?.bytes ?? 0;
  }

  put(key: string, bytes: number, nowMs: number): void {
    this.#total += bytes - this.of(key);
    this.#entries.delete(key);
    this.#entries.set(key, { bytes, expiresAtMs: nowMs + this.#ttlMs });
  }

  /** Returns when the first entry expires; Infinity if there is none. */
  expiresInMs(nowMs: number): number {
    for (const { expiresAtMs } of this.#entries.values()) return expiresAtMs - nowMs;
    return Number.POSITIVE_INFINITY;
  }
}
