import { AppError } from '../shared/errors.ts';
import type { Topic } from '../shared/update/topic.ts';
import type { Credential } from './credential.ts';
import type { LimitReport } from './metrics.ts';

/** What Redis needs for a register besides its topic and `data`, roughly, in bytes. */
const REGISTER_BYTES = 400;

/** Limits the bytes that each credential stores through this process. */
export interface StorageLimit {
  /**
   * Counts the registers of a call. Storing a topic again replaces what it had.
   *
   * @param dataBytes bytes of `data`, which every topic stores
   * @throws {AppError} rate_limited if the credential would exceed its limit
   */
  store(credential: Credential, topics: readonly Topic[], dataBytes: number): void;
}

/**
 * Creates the storage limit of this process. `data` counts until it expires, and so does the rest of a register.
 *
 * @param deps.maxBytes for each credential; 0 for no limit
 * @param deps.dataTtlMs time after which Redis deletes `data`
 * @param deps.registerTtlMs time after which Redis deletes the register
 * @param deps.nowMs returns the time by the monotonic clock
 */
export function createStorageLimit(deps: {
  maxBytes: number;
  dataTtlMs: number;
  registerTtlMs: number;
  nowMs: () => number;
  report: LimitReport;
}): StorageLimit {
  const { maxBytes, dataTtlMs, registerTtlMs, nowMs, report } = deps;
  if (maxBytes === 0) return { store() {} };
  const stores = new Map<string, { readonly data: StoredBytes; readonly registers: StoredBytes }>();

  return {
    store({ id }, topics, dataBytes) {
      const stored = stores.get(id) ?? { data: new StoredBytes(dataTtlMs), registers: new StoredBytes(registerTtlMs) };
      stores.set(id, stored);
      const now = nowMs();
      const used = stored.data.total(now) + stored.registers.total(now);
      let added = 0;
      for (const topic of topics) {
        added += Math.max(0, dataBytes - stored.data.of(topic));
        added += Math.max(0, sizeOf(topic) - stored.registers.of(topic));
      }
      if (used + added > maxBytes) {
        report.callLimited('storage');
        const retryAfterS = Math.max(1, Math.ceil(Math.min(stored.data.expiresInMs(now), dataTtlMs) / 1000));
        throw new AppError('rate_limited', 'These credentials have stored too much', { retryAfterS });
      }
      for (const topic of topics) {
        if (dataBytes > 0) stored.data.put(topic, dataBytes, now);
        stored.registers.put(topic, sizeOf(topic), now);
      }
    },
  };
}

function sizeOf(topic: Topic): number {
  return REGISTER_BYTES + topic.length;
}

/** Bytes by topic, each until its TTL is over. */
class StoredBytes {
  readonly #ttlMs: number;
  /** In the order in which they expire. */
  readonly #entries = new Map<Topic, { readonly bytes: number; readonly expiresAtMs: number }>();
  #total = 0;

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Returns the bytes of all topics, after those that have expired are removed. */
  total(nowMs: number): number {
    for (const [topic, { bytes, expiresAtMs }] of this.#entries) {
      if (expiresAtMs > nowMs) break;
      this.#entries.delete(topic);
      this.#total -= bytes;
    }
    return this.#total;
  }

  of(topic: Topic): number {
    return this.#entries.get(topic)?.bytes ?? 0;
  }

  put(topic: Topic, bytes: number, nowMs: number): void {
    this.#total += bytes - this.of(topic);
    this.#entries.delete(topic);
    this.#entries.set(topic, { bytes, expiresAtMs: nowMs + this.#ttlMs });
  }

  /** Returns when the first entry expires; Infinity if there is none. */
  expiresInMs(nowMs: number): number {
    for (const { expiresAtMs } of this.#entries.values()) return expiresAtMs - nowMs;
    return Number.POSITIVE_INFINITY;
  }
}
