import type { Redis } from 'ioredis';
import type { BrokerReport } from '../broker-report.ts';

/** Channels per SUBSCRIBE: few enough that one command completes within the time-out. */
const BATCH = 1000;

/** Receives the events of a subscriber. */
export interface SubscriberHandler {
  signal(channel: string, text: string): void;
  /** The connection was lost, or the server dropped channels: subscribe to all of them again. */
  subscriptionsLost(): void;
  connected(): void;
}

/** A connection that subscribes. It does not resubscribe by itself after it was lost. */
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

  /** Connects in the background, retrying until it succeeds. */
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
      this.#handler.connected();
    });
    redis.on('error', (error: Error) => {
      if (this.#redis === redis) this.#report.linkFailed('subscriber', error.message);
    });
    redis.on('close', () => {
      if (!up) return;
      up = false;
      this.#report.linkDown('subscriber');
      if (this.#redis === redis) this.#handler.subscriptionsLost();
    });
    // The server drops sharded channels when their slot migrates away.
    redis.on('moved', () => {
      if (this.#redis === redis) this.#handler.subscriptionsLost();
    });
    redis.connect().catch(() => {}); // ioredis keeps trying
  }

  stop(): void {
    const redis = this.#redis;
    this.#redis = undefined;
    redis?.disconnect();
  }

  /** Replaces the connection, because it may no longer receive signals. */
  reset(): void {
    this.stop();
    this.#handler.subscriptionsLost();
    this.start();
  }

  /** Resolves once Redis has acknowledged every channel. With sharded pub/sub all must be in one slot. */
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
