import { createHash } from 'node:crypto';
import type { Answers } from '../shared/broker/broker.ts';
import { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/process/logger.ts';

/** A call that may be repeated: by its sender in doubt, or by somebody who has recorded it. */
export interface RepeatableCall {
  readonly credentialId: string;
  readonly webhookId: string;
  readonly body: Buffer;
}

/**
 * Creates what gives a repeated call its first answer, on whichever process it arrives. Throws
 * `webhook_id_reused` where the same id comes with another body. The answer is kept after the work is done, so
 * that a crash in between costs one spurious update and never a lost one.
 */
export function createAnswerOnce(deps: {
  answers: Answers;
  logger: Logger;
}): (call: RepeatableCall, work: () => Promise<string>) => Promise<{ answer: string; repeated: boolean }> {
  const { answers, logger } = deps;
  /** Calls under way: one that comes again meanwhile waits for the same answer. */
  const underWay = new Map<string, { digest: string; answer: Promise<string> }>();

  async function workOnce(id: string, digest: string, work: () => Promise<string>): Promise<string> {
    const answer = work();
    underWay.set(id, { digest, answer });
    try {
      await answers.keepAnswer(id, `${digest} ${await answer}`).catch((error: unknown) => {
        // The update is out; only a repetition will be one more.
        logger.warn({ err: error }, 'the answer to a publisher could not be kept');
      });
    } finally {
      underWay.delete(id);
    }
    return answer;
  }

  return async ({ credentialId, webhookId, body }, work) => {
    const id = createHash('sha256').update(`${credentialId}\n${webhookId}`).digest('base64url');
    const digest = createHash('sha256').update(body).digest('base64url');
    const kept = await answers.recallAnswer(id);
    if (kept !== undefined) {
      if (kept.slice(0, digest.length) !== digest) throw new AppError('webhook_id_reused');
      return { answer: kept.slice(digest.length + 1), repeated: true };
    }
    const first = underWay.get(id);
    if (!first) return { answer: await workOnce(id, digest, work), repeated: false };
    if (first.digest !== digest) throw new AppError('webhook_id_reused');
    return { answer: await first.answer, repeated: true };
  };
}
