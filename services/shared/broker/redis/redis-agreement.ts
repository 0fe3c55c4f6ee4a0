import type { Redis } from 'ioredis';
import { AppError } from '../../errors.ts';
import type { BrokerReport } from '../broker-report.ts';

/** Whether a process and its cluster agree on what would otherwise make some of them deaf. */
export class RedisAgreement {
  /** What to do where they disagree after the start. */
  readonly refuse: (error: Error) => void;
  readonly #key: string;
  readonly #settings: string;
  readonly #sharded: boolean;
  readonly #report: BrokerReport;

  constructor(deps: {
    key: string;
    partitions: number;
    sharded: boolean;
    report: BrokerReport;
    refuse: (error: Error) => void;
  }) {
    this.refuse = deps.refuse;
    this.#key = deps.key;
    this.#settings = JSON.stringify({ partitions: deps.partitions, pubsub: deps.sharded ? 'sharded' : 'plain' });
    this.#sharded = deps.sharded;
    this.#report = deps.report;
  }

  /**
   * Rejects with `settings_differ` where this process must not take part, and with another error where this server
   * cannot be used, as one that was made a replica; looks at the eviction policy too.
   */
  async check(redis: Redis): Promise<void> {
    const theirs = await this.#exchange(redis);
    if (theirs !== this.#settings) {
      throw new AppError('settings_differ', `this cluster runs with ${theirs}, this process with ${this.#settings}`);
    }
    if (!(await redis.info('replication')).includes('role:master'))
      throw new Error('READONLY this server is a replica');
    const policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1];
    if (policy !== undefined) this.#report.evictionPolicy(policy);
  }

  async #exchange(redis: Redis): Promise<string> {
    try {
      // Nothing is written where that is not needed: a Redis that is full can be read all the same.
      const known = await redis.get(this.#key);
      if (known !== null) return known;
      await redis.set(this.#key, this.#settings, 'NX');
      return (await redis.get(this.#key)) ?? this.#settings;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('MOVED'))) throw error;
      if (!this.#sharded) {
        throw new AppError('settings_differ', 'this Redis is a node of Redis Cluster: set REDIS_CLUSTER_NODES');
      }
      return this.#settings; // the node that holds the key is asked too
    }
  }
}
