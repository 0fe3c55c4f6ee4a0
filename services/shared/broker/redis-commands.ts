import type { RedisConfig } from '../config/redis-config.ts';
import { AppError } from '../errors.ts';
import type { BrokerReport } from './broker-report.ts';
import { createRedisClient } from './redis-client.ts';
import type { RedisKeys } from './redis-keys.ts';
import { type ScriptedRedis, withScripts } from './redis-scripts.ts';

/**
 * The connection for commands. It may be used only while this process is known to agree with the others on
 * the settings of the cluster, which is asked anew after every connect: Redis may have come back empty.
 */
export class RedisCommands {
  readonly #redis: ScriptedRedis;
  readonly #keys: RedisKeys;
  readonly #settings: string;
  readonly #report: BrokerReport;
  readonly #refuse: (error: Error) => void;
  readonly #ready: () => void;
  #usable = false;

  constructor(deps: {
    config: RedisConfig;
    keys: RedisKeys;
    report: BrokerReport;
    refuse: (error: Error) => void;
    ready: () => void;
  }) {
    this.#redis = withScripts(createRedisClient(deps.config, 'heliograph-commands'));
    this.#keys = deps.keys;
    this.#settings = JSON.stringify({ partitions: deps.config.partitions, pubsub: 'plain' });
    this.#report = deps.report;
    this.#refuse = deps.refuse;
    this.#ready = deps.ready;
  }

  /**
   * Resolves once usable, or when the first attempt failed: then it goes on trying in the background. Rejects
   * with `settings_differ` where this process must not take part.
   */
  async start(): Promise<void> {
    let started = false;
    this.#redis.on('close', () => {
      if (this.#usable) this.#report.linkDown('commands');
      this.#usable = false;
    });
    await new Promise<void>((resolve, reject) => {
      this.#redis.on('ready', () => {
        this.#agree().then(resolve, (error: unknown) => {
          if (!(error instanceof AppError)) return this.#redis.disconnect(true);
          if (started) this.#refuse(error);
          else reject(error);
        });
      });
      this.#redis.connect().catch(() => resolve());
    });
    started = true;
  }

  stop(): void {
    this.#usable = false;
    this.#redis.disconnect();
  }

  /** The connection. Throws `broker_unavailable` while there is none that may be used. */
  redis(): ScriptedRedis {
    if (!this.#usable) throw new AppError('broker_unavailable');
    return this.#redis;
  }

  async #agree(): Promise<void> {
    await this.#redis.set(this.#keys.config(), this.#settings, 'NX');
    const theirs = await this.#redis.get(this.#keys.config());
    if (theirs !== null && theirs !== this.#settings) {
      throw new AppError('settings_differ', `this cluster runs with ${theirs}, this process with ${this.#settings}`);
    }
    const policy = /maxmemory_policy:(\S+)/.exec(await this.#redis.info('memory'))?.[1];
    if (policy !== undefined) this.#report.evictionPolicy(policy);
    this.#usable = true;
    this.#report.linkUp('commands');
    this.#ready();
  }
}
