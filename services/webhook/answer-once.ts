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
  return async ({ credentialId, webhookId, body }, work) => {
    const id = createHash('sha256').update(`${credentialId}\n${webhookId}`).digest('base64url');
    const digest = createHash('sha256').update(body).digest('base64url');
    const kept = await answers.recallAnswer(id);
    if (kept !== undefined) {
      const [keptDigest, answer] = [kept.slice(0, digest.length), kept.slice(digest.length + 1)];
      if (keptDigest !== digest) throw new AppError('webhook_id_reused');
      return { answer, repeated: true };
    }
    const answer = await work();
    await answers.keepAnswer(id, `${digest} ${answer}`).catch((error: unknown) => {
      // The update is out; only a repetition will be one more.
      logger.warn({ err: error }, 'the answer to a publisher could not be kept');
    });
    return { answer, repeated: false };
  };
}
