import type { Redis } from 'ioredis';
import { AppError } from '../../errors.ts';
import type { BrokerReport } from '../broker-report.ts';

/** The settings that all processes of a cluster must share, since relays with other ones would miss updates. */
export class RedisSettings {
  /** Called if the settings turn out to differ after the start. */
  readonly abort: (error: Error) => void;
  readonly #key: string;
  readonly #database: number;
  readonly #settings: string;
  readonly #sharded: boolean;
  readonly #report: BrokerReport;

  constructor(deps: {
    key: string;
    database: number;
    partitions: number;
    sharded: boolean;
    report: BrokerReport;
    abort: (error: Error) => void;
  }) {
    this.abort = deps.abort;
    this.#key = deps.key;
    this.#database = deps.database;
    this.#settings = JSON.stringify({ partitions: deps.partitions, pubsub: deps.sharded ? 'sharded' : 'plain' });
    this.#sharded = deps.sharded;
    this.#report = deps.report;
  }

  /**
   * Compares the settings with those stored in Redis, and stores them if they are missing. Also reports the eviction
   * policy. Rejects with another error if the server is not usable, such as a replica, or refuses the database.
   * @throws {AppError} `settings_differ`
   */
  async check(redis: Redis): Promise<void> {
    // ioredis has selected it, but would continue with database 0 if that was refused.
    if (this.#database !== 0) await redis.select(this.#database);
    const stored = await this.#loadOrStore(redis);
    if (stored !== this.#settings) {
      throw new AppError('settings_differ', `this cluster runs with ${stored}, this process with ${this.#settings}`);
    }
    if (!(await redis.info('replication')).includes('role:master'))
      throw new Error('READONLY this server is a replica');
    const policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1];
    if (policy !== undefined) this.#report.evictionPolicy(policy);
  }

  async #loadOrStore(redis: Redis): Promise<string> {
    try {
      // Reads first: a Redis that is out of memory rejects writes, but can be used to read.
      const stored = await redis.get(this.#key);
      if (stored !== null) return stored;
      await redis.set(this.#key, this.#settings, 'NX');
      return (await redis.get(this.#key)) ?? this.#settings;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('MOVED'))) throw error;
      if (!this.#sharded) {
        throw new AppError('settings_differ', 'this Redis is a node of Redis Cluster: set REDIS_CLUSTER_NODES');
      }
      return this.#settings; // the node that holds the key is checked too
    }
  }
}
