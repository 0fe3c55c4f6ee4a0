import { createHash, randomUUID } from 'node:crypto';
import { type Context, SpanKind, type Tracer } from '@opentelemetry/api';
import type { IdempotencyStore } from '../shared/broker/broker.ts';
import type { Clock } from '../shared/clock.ts';
import { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { NO_TRACER } from '../shared/trace/no-tracer.ts';
import { record } from '../shared/trace/record.ts';

/** A call that may arrive more than once, because its sender retries it, or an attacker replays it. */
export interface IdempotentCall {
  readonly credentialId: string;
  /** The idempotency key, unique for each credential; a call without one is never recognized. */
  readonly webhookId: string | undefined;
  /** The body, or whatever else a repetition must have in common with the call. */
  readonly body: Uint8Array;
  /** The trace context under which the call is recorded. */
  readonly within?: Context | undefined;
}

/** Does the work of a call, or returns the result of an earlier call with the same key. */
export type Idempotent = <T>(call: IdempotentCall, work: () => Promise<T>) => Promise<{ result: T; repeated: boolean }>;

/** The interval at which a call looks for the response of the first one on another webhook; it doubles each time. */
const FIRST_POLL_MS = 10;
const MAX_POLL_MS = 200;
/** The longest time that it waits, in milliseconds: shorter than callers wait for their response. */
const MAX_WAIT_MS = 2000;

/**
 * What is stored under a key: the digest of the body, then the JSON of the response, or `?` and the name of the call that
 * has reserved the key. A webhook that does not know reservations fails to parse one, so that its caller tries again.
 */
const RESERVED = '?';

/**
 * Creates the function that runs the work of each call only once, on all webhooks together: the first call reserves its
 * key, later ones wait for its response. Results must survive JSON. A result is stored after the work is done: a crash in
 * between causes a second, harmless update instead of a lost one, once the reservation has expired.
 *
 * The returned function throws `AppError` with `webhook_id_reused` if the key was used with another body, and with
 * `call_in_progress` if the first call has no response in time.
 */
export function createIdempotency(deps: {
  store: IdempotencyStore;
  logger: Logger;
  clock: Clock;
  tracer?: Tracer;
}): Idempotent {
  const { store, logger, clock, tracer = NO_TRACER } = deps;
  const kind = SpanKind.CLIENT;
  /** Calls of this process that are in progress: a repetition waits for the same result. */
  const inProgress = new Map<string, { digest: string; result: Promise<unknown> }>();

  /** Reserves the key; waits while another call has. Returns the response of an earlier call if there is one. */
  async function reserve(key: string, digest: string, reservation: string): Promise<string | undefined> {
    const endMs = clock.monotonicMs() + MAX_WAIT_MS;
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, MAX_POLL_MS)) {
      const stored = await store.loadOrReserve(key, reservation);
      if (stored === undefined) return undefined;
      if (stored.slice(0, digest.length) !== digest) throw new AppError('webhook_id_reused');
      const response = stored.slice(digest.length + 1);
      if (!response.startsWith(RESERVED)) return response;
      if (clock.monotonicMs() + pollMs >= endMs) throw new AppError('call_in_progress');
      await new Promise<void>((resolve) => void clock.after(pollMs, resolve));
    }
  }

  async function runFirst<T>(
    { key, digest, within }: { key: string; digest: string; within: Context | undefined },
    work: () => Promise<T>,
  ): Promise<{ result: T; repeated: boolean }> {
    const reservation = `${digest} ${RESERVED}${randomUUID()}`;
    const options = { kind, within };
    const response = await record(tracer, 'load response', options, () => reserve(key, digest, reservation));
    if (response !== undefined) return { result: JSON.parse(response) as T, repeated: true };
    try {
      const result = await work();
      const stored = `${digest} ${JSON.stringify(result)}`;
      await record(tracer, 'store response', options, () => store.storeResponse(key, stored)).catch(
        // The update is published; only a repetition of the call would publish it again.
        (error: unknown) => logger.warn({ err: error }, 'failed to store the response for repeated calls'),
      );
      return { result, repeated: false };
    } catch (error) {
      await store.releaseReservation(key, reservation).catch(() => {}); // it expires
      throw error;
    }
  }

  return async <T>({ credentialId, webhookId, body, within }: IdempotentCall, work: () => Promise<T>) => {
    if (webhookId === undefined) return { result: await work(), repeated: false };
    const key = createHash('sha256').update(`${credentialId}\n${webhookId}`).digest('base64url');
    const digest = createHash('sha256').update(body).digest('base64url');
    const first = inProgress.get(key);
    if (first) {
      if (first.digest !== digest) throw new AppError('webhook_id_reused');
      return { result: ((await first.result) as { result: T }).result, repeated: true };
    }
    const result = runFirst({ key, digest, within }, work).finally(() => inProgress.delete(key));
    inProgress.set(key, { digest, result });
    return result;
  };
}
