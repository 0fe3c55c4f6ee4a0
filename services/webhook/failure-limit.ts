import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../shared/errors.ts';
import type { ClientAddressReader } from '../shared/http/client-address.ts';
import { TokenBucket } from '../shared/token-bucket.ts';
import type { LimitReport } from './metrics.ts';

/** The part of a request that identifies its caller. */
export interface PublisherRequest {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Wrong signatures that an address may send within a minute, and at once. */
const FAILURES_PER_MINUTE = 60;
/** Addresses with failures that are remembered: those of the last ones to fail. */
const MAX_ADDRESSES = 10_000;

/**
 * Limits wrong signatures per address: each costs reading a body and an HMAC for every secret. Beyond the limit, signed
 * calls from that address are refused before their body is read.
 */
export class FailureLimit {
  readonly #readAddress: ClientAddressReader;
  readonly #nowMs: () => number;
  readonly #report: LimitReport;
  readonly #buckets = new Map<string, TokenBucket>();

  /** @param deps.nowMs returns the time by the monotonic clock */
  constructor(deps: { readAddress: ClientAddressReader; nowMs: () => number; report: LimitReport }) {
    this.#readAddress = deps.readAddress;
    this.#nowMs = deps.nowMs;
    this.#report = deps.report;
  }

  /** @throws {AppError} rate_limited if the address of this request has failed too often */
  check(request: PublisherRequest): void {
    const bucket = this.#buckets.get(this.#addressOf(request));
    if (!bucket?.isEmpty) return;
    this.#report.callLimited('signatures');
    const retryAfterS = Math.ceil(bucket.waitMs / 1000);
    throw new AppError('rate_limited', 'Too many wrong signatures from this address', { retryAfterS });
  }

  /** Counts a wrong signature. */
  count(request: PublisherRequest): void {
    const address = this.#addressOf(request);
    const bucket = this.#buckets.get(address) ?? this.#newBucket();
    bucket.take(1);
    this.#buckets.delete(address); // keeps the map in the order of failures
    this.#buckets.set(address, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_ADDRESSES) break;
      this.#buckets.delete(oldest);
    }
  }

  #newBucket(): TokenBucket {
    return new TokenBucket({ perSecond: FAILURES_PER_MINUTE / 60, burst: FAILURES_PER_MINUTE, nowMs: this.#nowMs });
  }

  #addressOf({ socket, headers }: PublisherRequest): string {
    return this.#readAddress(socket.remoteAddress ?? '', String(headers['x-forwarded-for'] ?? ''));
  }
}
