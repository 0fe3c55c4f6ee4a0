import type { Redis } from 'ioredis';
import type { BrokerReport } from '../broker-report.ts';

/** Channels in one SUBSCRIBE: large enough to be quick, small enough to be answered within the time-out. */
const BATCH = 1000;

/** What a subscriber tells its owner. */
export interface SubscriberHandler {
  signal(channel: string, text: string): void;
  /** Every channel is gone with the connection, or some were taken away. */
  lost(): void;
  ready(): void;
}

/** One connection that subscribes. It forgets its channels when the connection is lost: its owner subscribes again. */
export class RedisSubscriber {
  readonly #connect: () => Redis;
  readonly #sharded: boolean;
  readonly #handler: SubscriberHandler;
  readonly #report: BrokerReport;
  #redis: Redis | undefined;

  constructor(deps: { connect: () => Redis; sharded: boolean; report: BrokerReport; handler: SubscriberHandler }) {
    this.#connect = deps.connect;
    this.#sharded = deps.sharded;
    this.#handler = deps.handler;
    this.#report = deps.report;
  }

  /** Connects in the background, again and again until it succeeds. */
  start(): void {
    const redis = this.#connect();
    this.#redis = redis;
    let up = false;
    redis.on(this.#sharded ? 'smessage' : 'message', (channel: string, text: string) => {
      if (this.#redis === redis) this.#handler.signal(channel, text);
    });
    redis.on('ready', () => {
      if (this.#redis !== redis) return;
      up = true;
      this.#report.linkUp('subscriber');
      this.#handler.ready();
    });
    redis.on('error', (error: Error) => {
      if (this.#redis === redis) this.#report.linkFailed('subscriber', error.message);
    });
    redis.on('close', () => {
      if (!up) return;
      up = false;
      this.#report.linkDown('subscriber');
      if (this.#redis === redis) this.#handler.lost();
    });
    // The server takes shard channels away when their slot leaves it.
    redis.on('moved', () => {
      if (this.#redis === redis) this.#handler.lost();
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

  /** Resolves once Redis has acknowledged every channel; with sharded pub/sub all must be of one slot. */
  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#inBatches(channels, (redis, batch) =>
      this.#sharded ? redis.ssubscribe(...batch) : redis.subscribe(...batch),
    );
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.#inBatches(channels, (redis, batch) =>
      this.#sharded ? redis.sunsubscribe(...batch) : redis.unsubscribe(...batch),
    );
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
