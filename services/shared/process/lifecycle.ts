import type { Logger } from '../logger.ts';
import { StartError } from '../start-error.ts';

/** Something with a beginning and an end. `stop` must be harmless before, during and after a failed `start`. */
export interface Part<T = unknown> {
  start(): Promise<T> | T;
  stop(): Promise<unknown> | unknown;
}

/**
 * Starts parts in order and stops them in reverse, once, with one deadline for all of them. It decides
 * the exit code: 0, or 1 where a part failed, could not stop, or did not stop in time.
 */
export class Lifecycle {
  readonly #logger: Logger;
  readonly #shutdownTimeoutMs: number;
  readonly #begun: { name: string; part: Part }[] = [];
  #exitCode = 0;
  #stopped: Promise<number> | undefined;

  constructor(deps: { logger: Logger; shutdownTimeoutMs: number }) {
    this.#logger = deps.logger;
    this.#shutdownTimeoutMs = deps.shutdownTimeoutMs;
  }

  /** Whether the end has begun. */
  get stopping(): boolean {
    return this.#stopped !== undefined;
  }

  /** Starts a part and answers what it answers; from now on it will be stopped. Rejects while stopping. */
  async start<T>(name: string, part: Part<T>): Promise<T> {
    if (this.stopping) throw new StartError(`${name} was not started: the process is stopping`);
    this.#begun.push({ name, part });
    try {
      return await part.start();
    } catch (error) {
      throw startFailure(name, error);
    }
  }

  /** Notes that the process has failed; it will end with exit code 1. */
  fail(): void {
    this.#exitCode = 1;
  }

  /**
   * Stops everything that was begun, the youngest first, and resolves with the exit code: after the
   * deadline at the latest. Called again, it answers with the same end.
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
      const remaining = this.#begun.map(({ name }) => name);
      this.#logger.error({ remaining, deadlineMs }, 'not everything stopped before the deadline');
      this.fail();
    }
    return this.#exitCode;
  }

  /** A part leaves the list once it has stopped, so that what remains can be named. */
  async #stopAll(): Promise<'done'> {
    for (let youngest = this.#begun.at(-1); youngest !== undefined; youngest = this.#begun.at(-1)) {
      try {
        await youngest.part.stop();
      } catch (error) {
        this.#logger.error({ err: error, part: youngest.name }, 'a part could not be stopped');
        this.fail();
      }
      this.#begun.pop();
    }
    return 'done';
  }
}

/** Names the part. A reason that was written for people stays without a stack; anything else keeps it as its cause. */
function startFailure(name: string, error: unknown): StartError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartError(`${name}: ${reason}`, error instanceof StartError ? {} : { cause: error });
}
