import type { Redis } from 'ioredis';
import type { RedisConfig } from '../config/redis-config.ts';
import type { BrokerReport } from './broker-report.ts';
import { createRedisClient } from './redis-client.ts';

/** Channels in one SUBSCRIBE: large enough to be quick, small enough to be answered within the time-out. */
const BATCH = 1000;

/** What a subscriber tells its owner. */
export interface SubscriberHandler {
  signal(channel: string, text: string): void;
  /** Every channel is gone with the connection. */
  lost(): void;
  ready(): void;
}

/** One connection that subscribes. It forgets its channels when the connection is lost: its owner subscribes again. */
export class RedisSubscriber {
  readonly #config: RedisConfig;
  readonly #handler: SubscriberHandler;
  readonly #report: BrokerReport;
  #redis: Redis | undefined;

  constructor(deps: { config: RedisConfig; report: BrokerReport; handler: SubscriberHandler }) {
    this.#config = deps.config;
    this.#report = deps.report;
    this.#handler = deps.handler;
  }

  /** Connects in the background, again and again until it succeeds. */
  start(): void {
    const redis = createRedisClient(this.#config, 'heliograph-subscriber');
    this.#redis = redis;
    redis.on('message', (channel: string, text: string) => this.#handler.signal(channel, text));
    let up = false;
    redis.on('ready', () => {
      up = true;
      this.#report.linkUp('subscriber');
      this.#handler.ready();
    });
    redis.on('close', () => {
      if (!up || this.#redis !== redis) return;
      up = false;
      this.#report.linkDown('subscriber');
      this.#handler.lost();
    });
    redis.connect().catch(() => {}); // ioredis goes on trying
  }

  stop(): void {
    const redis = this.#redis;
    this.#redis = undefined;
    redis?.disconnect();
  }

  /** Gives up the connection, which may be deaf, for a new one. */
  renew(): void {
    this.stop();
    this.#handler.lost();
    this.start();
  }

  /** Resolves once Redis has acknowledged every channel. */
  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#inBatches(channels, (redis, batch) => redis.subscribe(...batch));
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.#inBatches(channels, (redis, batch) => redis.unsubscribe(...batch));
  }

  async #inBatches(
    channels: readonly string[],
    send: (redis: Redis, batch: readonly string[]) => Promise<unknown>,
  ): Promise<void> {
    const redis = this.#redis;
    if (!redis) throw new Error('the subscriber is stopped');
    for (let i = 0; i < channels.length; i += BATCH) await send(redis, channels.slice(i, i + BATCH));
  }
}
