import { createHash } from 'node:crypto';
import { type Context, SpanKind, type Tracer } from '@opentelemetry/api';
import type { IdempotencyStore } from '../shared/broker/broker.ts';
import { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { NO_TRACER } from '../shared/trace/no-tracer.ts';
import { record } from '../shared/trace/record.ts';

/** A call that may be repeated: by its sender in doubt, or by somebody who has recorded it. */
export interface RepeatableCall {
  readonly credentialId: string;
  readonly webhookId: string;
  readonly body: Buffer;
  /** What is being recorded of it. */
  readonly within?: Context | undefined;
}

/**
 * Creates what gives a repeated call its first answer, on whichever process it arrives. Throws
 * `webhook_id_reused` where the same id comes with another body. The answer is kept after the work is done, so
 * that a crash in between costs one spurious update and never a lost one.
 */
export function createAnswerOnce(deps: {
  answers: IdempotencyStore;
  logger: Logger;
  tracer?: Tracer;
}): (call: RepeatableCall, work: () => Promise<string>) => Promise<{ answer: string; repeated: boolean }> {
  const { answers, logger, tracer = NO_TRACER } = deps;
  const kind = SpanKind.CLIENT;
  /** Calls under way: one that comes again meanwhile waits for the same answer. */
  const underWay = new Map<string, { digest: string; answer: Promise<string> }>();

  async function workOnce(
    id: string,
    digest: string,
    within: Context | undefined,
    work: () => Promise<string>,
  ): Promise<string> {
    const answer = work();
    underWay.set(id, { digest, answer });
    try {
      const kept = `${digest} ${await answer}`;
      await record(tracer, 'keep answer', { kind, within }, () => answers.storeResponse(id, kept)).catch(
        (error: unknown) => {
          // The update is out; only a repetition will be one more.
          logger.warn({ err: error }, 'the answer to a publisher could not be kept');
        },
      );
    } finally {
      underWay.delete(id);
    }
    return answer;
  }

  return async ({ credentialId, webhookId, body, within }, work) => {
    const id = createHash('sha256').update(`${credentialId}\n${webhookId}`).digest('base64url');
    const digest = createHash('sha256').update(body).digest('base64url');
    const kept = await record(tracer, 'recall answer', { kind, within }, () => answers.loadResponse(id));
    if (kept !== undefined) {
      if (kept.slice(0, digest.length) !== digest) throw new AppError('webhook_id_reused');
      return { answer: kept.slice(digest.length + 1), repeated: true };
    }
    const first = underWay.get(id);
    if (!first) return { answer: await workOnce(id, digest, within, work), repeated: false };
    if (first.digest !== digest) throw new AppError('webhook_id_reused');
    return { answer: await first.answer, repeated: true };
  };
}
