import { AppError } from '../../errors.ts';
import type { BrokerReport, LinkName } from '../broker-report.ts';
import type { RedisAgreement } from './redis-agreement.ts';
import { reconnectDelayMs } from './redis-client.ts';
import type { ScriptedRedis } from './redis-scripts.ts';

/**
 * A connection for commands. It may be used only while this process is known to agree with the others on
 * the settings of the cluster, which is asked anew after every connect: Redis may have come back empty.
 */
export class RedisCommands {
  readonly #redis: ScriptedRedis;
  readonly #link: LinkName;
  readonly #agreement: RedisAgreement;
  readonly #report: BrokerReport;
  readonly #up: () => void;
  readonly #down: () => void;
  #usable = false;
  /** How often in a row it answered, but not as it must. */
  #rejections = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(deps: {
    redis: ScriptedRedis;
    link: LinkName;
    agreement: RedisAgreement;
    report: BrokerReport;
    up: () => void;
    down: () => void;
  }) {
    this.#redis = deps.redis;
    this.#link = deps.link;
    this.#agreement = deps.agreement;
    this.#report = deps.report;
    this.#up = deps.up;
    this.#down = deps.down;
  }

  /**
   * Resolves once usable, or when the first attempt failed: then it goes on trying in the background. Rejects
   * with `settings_differ` where this process must not take part.
   */
  async start(): Promise<void> {
    this.#redis.on('close', () => {
      clearTimeout(this.#retry);
      if (this.#usable) this.#report.linkDown(this.#link);
      this.#usable = false;
      this.#down();
    });
    this.#redis.on('error', (error: Error) => this.#report.linkFailed(this.#link, error.message));
    let refuse = this.#agreement.refuse;
    await new Promise<void>((resolve, reject) => {
      refuse = reject;
      this.#redis.on('ready', () => {
        this.#agreement.check(this.#redis).then(
          () => {
            this.#usable = true;
            this.#rejections = 0;
            this.#report.linkUp(this.#link);
            this.#up();
            resolve();
          },
          (error: unknown) => {
            if (error instanceof AppError) return refuse(error);
            // It answers, but not as it must: it may be full, read-only, or this user may not do what is needed.
            this.#report.linkFailed(this.#link, error instanceof Error ? error.message : String(error));
            // To ioredis this is a good connection, after which it would come back at once.
            this.#rejections += 1;
            this.#retry = setTimeout(() => this.#redis.disconnect(true), reconnectDelayMs(this.#rejections));
            resolve();
          },
        );
      });
      this.#redis.connect().catch(() => resolve());
    });
    refuse = this.#agreement.refuse;
  }

  /** What becomes of the link is reported when it is closed, as it is where Redis closes it. */
  stop(): void {
    clearTimeout(this.#retry);
    this.#redis.disconnect();
  }

  get usable(): boolean {
    return this.#usable;
  }

  /** The connection. Throws `broker_unavailable` while it may not be used. */
  redis(): ScriptedRedis {
    if (!this.#usable) throw new AppError('broker_unavailable');
    return this.#redis;
  }
}
