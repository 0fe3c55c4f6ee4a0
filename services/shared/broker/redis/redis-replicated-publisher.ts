import { AppError } from '../../errors.ts';
import type { PublishArguments, ScriptedRedis } from './redis-scripts.ts';

/** What the publish script answers. */
type Answer = [version: string, history: string];

/** How much of a call's time replicas get to confirm: a call may have to sit out the wait of those before it. */
const WAIT_SHARE = 0.4;

/** What `pipeline()` knows of our scripts. */
interface ScriptedPipeline {
  heliographPublish(...args: PublishArguments): ScriptedPipeline;
  wait(replicas: number, timeoutMs: number): ScriptedPipeline;
  exec(): Promise<[Error | null, unknown][] | null>;
}

interface Call {
  readonly args: PublishArguments;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/**
 * Runs the publish script and, where asked, waits until replicas have its writes. Both go in one pipeline on one
 * connection, since `WAIT` speaks of what its own connection wrote, and blocks it: calls that come meanwhile go
 * together in the next pipeline, under one `WAIT`. So however many there are, each has its answer in time.
 */
export class RedisReplicatedPublisher {
  readonly #replicas: number;
  readonly #timeoutMs: number;
  readonly #lanes = new WeakMap<ScriptedRedis, { calls: Call[]; busy: boolean }>();

  constructor(deps: { replicas: number; timeoutMs: number }) {
    this.#replicas = deps.replicas;
    this.#timeoutMs = deps.timeoutMs;
  }

  /**
   * Rejects with `not_replicated` where too few replicas confirm in time; the update is published all the same. A
   * call that fails before its turn came is never sent.
   */
  publish(redis: ScriptedRedis, args: PublishArguments): Promise<Answer> {
    if (this.#replicas === 0) return redis.heliographPublish(...args);
    const lane = this.#lanes.get(redis) ?? { calls: [], busy: false };
    this.#lanes.set(redis, lane);
    return new Promise<Answer>((resolve, reject) => {
      const deadline = setTimeout(() => {
        lane.calls = lane.calls.filter((other) => other !== call);
        reject(new Error('the calls before this one took too long'));
      }, this.#timeoutMs);
      const settle = <T>(end: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(deadline);
          end(value);
        };
      };
      const call = { args, resolve: settle(resolve), reject: settle(reject) };
      lane.calls.push(call);
      if (!lane.busy) void this.#empty(redis, lane);
    });
  }

  async #empty(redis: ScriptedRedis, lane: { calls: Call[]; busy: boolean }): Promise<void> {
    lane.busy = true;
    while (lane.calls.length > 0) {
      const calls = lane.calls;
      lane.calls = [];
      await this.#send(redis, calls).catch((error: unknown) => {
        for (const call of calls) call.reject(error);
      });
    }
    lane.busy = false;
  }

  async #send(redis: ScriptedRedis, calls: readonly Call[]): Promise<void> {
    const pipeline = redis.pipeline() as unknown as ScriptedPipeline;
    for (const { args } of calls) pipeline.heliographPublish(...args);
    const answers = (await pipeline.wait(this.#replicas, Math.floor(this.#timeoutMs * WAIT_SHARE)).exec()) ?? [];
    const waited = answers[calls.length];
    for (const [i, call] of calls.entries()) {
      const published = answers[i];
      const error = published?.[0] ?? waited?.[0];
      if (error || !published || !waited) call.reject(error ?? new Error('the pipeline gave no answer'));
      else if (Number(waited[1]) < this.#replicas) call.reject(new AppError('not_replicated'));
      else call.resolve(published[1] as Answer);
    }
  }
}
