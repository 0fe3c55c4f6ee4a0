import { AppError } from '../errors.ts';
import type { PublishArguments, ScriptedRedis } from './redis-scripts.ts';

/** What `pipeline()` knows of our scripts. */
interface ScriptedPipeline {
  heliographPublish(...args: PublishArguments): ScriptedPipeline;
  wait(replicas: number, timeoutMs: number): ScriptedPipeline;
  exec(): Promise<[Error | null, unknown][] | null>;
}

/**
 * Runs the publish script and, where asked, waits until replicas have its writes. Both go in one pipeline on
 * one connection: `WAIT` speaks of what its own connection wrote. Rejects with `not_replicated` where too few
 * confirm in time; the update is published all the same, and repeating it is harmless.
 */
export async function publishOnce(
  redis: ScriptedRedis,
  replicas: number,
  waitMs: number,
  args: PublishArguments,
): Promise<[version: string, history: string]> {
  if (replicas === 0) return redis.heliographPublish(...args);
  const pipeline = redis.pipeline() as unknown as ScriptedPipeline;
  const [published, waited] =
    (await pipeline
      .heliographPublish(...args)
      .wait(replicas, waitMs)
      .exec()) ?? [];
  const error = published?.[0] ?? waited?.[0];
  if (error || !published || !waited) throw error ?? new Error('the pipeline gave no answer');
  if (Number(waited[1]) < replicas) throw new AppError('not_replicated');
  return published[1] as [string, string];
}
