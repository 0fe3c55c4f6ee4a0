import type { Redis } from 'ioredis';
import { NotReplicatedError, type Published } from '../broker.ts';
import { isScriptMissing, type PublishArguments, type RedisScripts } from './redis-scripts.ts';

/** The share of a call's deadline given to replicas: a call may have to sit out the `WAIT` of the calls before it. */
const WAIT_SHARE = 0.4;

interface Call {
  readonly args: PublishArguments;
  resolve(published: readonly Published[]): void;
  reject(error: unknown): void;
}

/** The calls of one connection that are not sent yet. */
interface Queue {
  calls: Call[];
  busy: boolean;
}

/**
 * Publishes, and waits until enough replicas have the update (`PUBLISH_WAIT_REPLICAS`). The script and `WAIT` go in one
 * pipeline on one connection, since `WAIT` covers the writes of its own connection and blocks it. Calls that arrive
 * meanwhile share the next pipeline and its `WAIT`, so the latency does not grow with their number.
 */
export class RedisReplicatedPublisher {
  readonly #scripts: RedisScripts;
  readonly #replicas: number;
  readonly #timeoutMs: number;
  readonly #queues = new WeakMap<Redis, Queue>();

  constructor(deps: { scripts: RedisScripts; replicas: number; timeoutMs: number }) {
    this.#scripts = deps.scripts;
    this.#replicas = deps.replicas;
    this.#timeoutMs = deps.timeoutMs;
  }

  /**
   * Publishes updates of topics of one partition. A call whose deadline passes before it is sent is never sent.
   * @throws {NotReplicatedError} if too few replicas confirm in time; the updates are published
   */
  publish(redis: Redis, args: PublishArguments): Promise<readonly Published[]> {
    const queue = this.#queues.get(redis) ?? { calls: [], busy: false };
    this.#queues.set(redis, queue);
    return new Promise<readonly Published[]>((resolve, reject) => {
      const deadline = setTimeout(() => {
        queue.calls = queue.calls.filter((other) => other !== call);
        reject(new Error('timed out behind earlier calls'));
      }, this.#timeoutMs);
      const call: Call = {
        args,
        resolve(published) {
          clearTimeout(deadline);
          resolve(published);
        },
        reject(error) {
          clearTimeout(deadline);
          reject(error);
        },
      };
      queue.calls.push(call);
      if (!queue.busy) void this.#drain(redis, queue);
    });
  }

  async #drain(redis: Redis, queue: Queue): Promise<void> {
    queue.busy = true;
    while (queue.calls.length > 0) {
      const calls = queue.calls;
      queue.calls = [];
      await this.#send(redis, calls).catch((error: unknown) => {
        for (const call of calls) call.reject(error);
      });
    }
    queue.busy = false;
  }

  async #send(redis: Redis, calls: readonly Call[]): Promise<void> {
    const missing = await this.#sendOnce(redis, calls, { whole: false });
    if (missing.length === 0) return;
    // The server does not have the script. A new pipeline, because the update must come before its WAIT.
    await this.#scripts.load(redis);
    await this.#sendOnce(redis, missing, { whole: true });
  }

  /** Returns the calls that Redis did not run because it does not have the script. */
  async #sendOnce(redis: Redis, calls: readonly Call[], options: { whole: boolean }): Promise<readonly Call[]> {
    const pipeline = redis.pipeline();
    const parsers = calls.map(({ args }) => this.#scripts.publishInPipeline(pipeline, { redis, args, ...options }));
    const replies = (await pipeline.wait(this.#replicas, Math.floor(this.#timeoutMs * WAIT_SHARE)).exec()) ?? [];
    const waited = replies[calls.length];
    const missing: Call[] = [];
    for (const [i, call] of calls.entries()) {
      const [error, reply] = replies[i] ?? [new Error('the pipeline returned no reply')];
      if (error) {
        if (isScriptMissing(error) && !options.whole) missing.push(call);
        else call.reject(error);
        continue;
      }
      const published = parsers[i]?.(reply) ?? [];
      if (!waited || waited[0] || Number(waited[1]) < this.#replicas) {
        call.reject(new NotReplicatedError(published.at(-1) as Published, { cause: waited?.[0] }));
      } else call.resolve(published);
    }
    return missing;
  }
}
