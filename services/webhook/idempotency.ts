import { createHash } from 'node:crypto';
import { type Context, SpanKind, type Tracer } from '@opentelemetry/api';
import type { IdempotencyStore } from '../shared/broker/broker.ts';
import { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { NO_TRACER } from '../shared/trace/no-tracer.ts';
import { record } from '../shared/trace/record.ts';

/** A call that may arrive more than once, because its sender retries it, or an attacker replays it. */
export interface IdempotentCall {
  readonly credentialId: string;
  /** The idempotency key, unique for each credential; a call without one is never recognized. */
  readonly webhookId: string | undefined;
  readonly body: Buffer;
  /** The trace context under which the call is recorded. */
  readonly within?: Context | undefined;
}

/** Does the work of a call, or returns the result of an earlier call with the same key. */
export type Idempotent = <T>(call: IdempotentCall, work: () => Promise<T>) => Promise<{ result: T; repeated: boolean }>;

/**
 * Creates the function that runs the work of each call only once, on all webhooks together. Results must survive JSON. A
 * result is stored after the work is done: a crash in between causes a second, harmless update instead of a lost one.
 *
 * The returned function throws `AppError` with `webhook_id_reused` if the key was used with another body.
 */
export function createIdempotency(deps: { store: IdempotencyStore; logger: Logger; tracer?: Tracer }): Idempotent {
  const { store, logger, tracer = NO_TRACER } = deps;
  const kind = SpanKind.CLIENT;
  /** Calls of this process that are in progress: a repetition waits for the same result. */
  const inProgress = new Map<string, { digest: string; result: Promise<unknown> }>();

  async function workAndStore<T>(
    key: string,
    digest: string,
    within: Context | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const result = work();
    inProgress.set(key, { digest, result });
    try {
      const stored = `${digest} ${JSON.stringify(await result)}`;
      await record(tracer, 'store response', { kind, within }, () => store.storeResponse(key, stored)).catch(
        // The update is published; only a repetition of the call would publish it again.
        (error: unknown) => logger.warn({ err: error }, 'failed to store the response for repeated calls'),
      );
    } finally {
      inProgress.delete(key);
    }
    return result;
  }

  return async <T>({ credentialId, webhookId, body, within }: IdempotentCall, work: () => Promise<T>) => {
    if (webhookId === undefined) return { result: await work(), repeated: false };
    const key = createHash('sha256').update(`${credentialId}\n${webhookId}`).digest('base64url');
    const digest = createHash('sha256').update(body).digest('base64url');
    const stored = await record(tracer, 'load response', { kind, within }, () => store.loadResponse(key));
    if (stored !== undefined) {
      if (stored.slice(0, digest.length) !== digest) throw new AppError('webhook_id_reused');
      return { result: JSON.parse(stored.slice(digest.length + 1)) as T, repeated: true };
    }
    const first = inProgress.get(key);
    if (!first) return { result: await workAndStore(key, digest, within, work), repeated: false };
    if (first.digest !== digest) throw new AppError('webhook_id_reused');
    return { result: (await first.result) as T, repeated: true };
  };
}
