import type { Logger } from '../logger.ts';
import { StartError } from '../start-error.ts';

/** A part of a service that can be started once. `stop` must be harmless before, during and after a failed `start`. */
export interface Part<T = unknown> {
  start(): Promise<T> | T;
  /** Called if `stop` follows after `waitMs`, while load balancers learn that this process is not ready. */
  prepareStop?(waitMs: number): void;
  stop(): Promise<unknown> | unknown;
}

/**
 * Starts parts in order and stops them once, in reverse order, with one deadline for all of them. Decides the exit code:
 * 0, or 1 if the process has failed, or a part failed to stop or did not stop in time.
 */
export class Lifecycle {
  readonly #logger: Logger;
  readonly #shutdownTimeoutMs: number;
  readonly #started: { name: string; part: Part }[] = [];
  #exitCode = 0;
  #stopped: Promise<number> | undefined;

  constructor(deps: { logger: Logger; shutdownTimeoutMs: number }) {
    this.#logger = deps.logger;
    this.#shutdownTimeoutMs = deps.shutdownTimeoutMs;
  }

  /** True once `stop` has been called. */
  get stopping(): boolean {
    return this.#stopped !== undefined;
  }

  /**
   * Starts a part, which `stop` will stop, also if it fails to start. Returns the result of its `start`.
   *
   * @throws {StartError} if the part fails to start, or the process is already stopping
   */
  async start<T>(name: string, part: Part<T>): Promise<T> {
    if (this.stopping) throw new StartError(`${name} was not started: the process is stopping`);
    this.#started.push({ name, part });
    try {
      return await part.start();
    } catch (error) {
      throw startFailure(name, error);
    }
  }

  /** Notes that the process has failed, so that its exit code becomes 1. */
  fail(): void {
    this.#exitCode = 1;
  }

  /** Lets all started parts prepare for `stop`, which follows after `waitMs`. */
  prepareStop(waitMs: number): void {
    for (const { part } of this.#started) part.prepareStop?.(waitMs);
  }

  /**
   * Stops all parts, most recent first. Resolves with the exit code, at the deadline at the latest. Further calls
   * return the same promise.
   */
  stop(): Promise<number> {
    this.#stopped ??= this.#stopWithin(this.#shutdownTimeoutMs);
    return this.#stopped;
  }

  async #stopWithin(deadlineMs: number): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), deadlineMs);
    });
    const outcome = await Promise.race([this.#stopAll(), deadline]);
    clearTimeout(timer);
    if (outcome === 'late') {
      const remaining = this.#started.map(({ name }) => name);
      this.#logger.error({ remaining, deadlineMs }, 'shutdown deadline exceeded');
      this.fail();
    }
    return this.#exitCode;
  }

  /** Removes each part once it has stopped, so that the parts that remain at the deadline can be named. */
  async #stopAll(): Promise<'done'> {
    for (let last = this.#started.at(-1); last !== undefined; last = this.#started.at(-1)) {
      try {
        await last.part.stop();
      } catch (error) {
        this.#logger.error({ err: error, part: last.name }, 'failed to stop a part');
        this.fail();
      }
      this.#started.pop();
    }
    return 'done';
  }
}

/** Adds the name of the part. A `StartError` needs no stack trace; any other error is kept as the cause. */
function startFailure(name: string, error: unknown): StartError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartError(`${name}: ${reason}`, error instanceof StartError ? {} : { cause: error });
}
