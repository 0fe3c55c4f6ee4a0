import type { Redis } from 'ioredis';
import type { BrokerReport } from '../broker-report.ts';
import { RedisSubscriberConnection } from './redis-subscriber-connection.ts';

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
  #connection: RedisSubscriberConnection | undefined;

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
    redis.on(this.#sharded ? 'smessage' : 'message', (channel: string, text: string) => {
      if (this.#redis !== redis || this.#connection?.receive(channel, text)) return;
      this.#handler.signal(channel, text);
    });
    let attempt = 0;
    redis.on('ready', async () => {
      attempt += 1;
      const own = attempt;
      // Before the first SUBSCRIBE: a connection that subscribes can ask nothing else.
      const runId = await readRunId(redis);
      if (this.#redis !== redis || attempt !== own) return;
      this.#connection = new RedisSubscriberConnection({ redis, sharded: this.#sharded, runId });
      this.#report.linkUp('subscriber');
      this.#handler.connected();
    });
    redis.on('error', (error: Error) => {
      if (this.#redis === redis) this.#report.linkFailed('subscriber', error.message);
    });
    redis.on('close', () => {
      attempt += 1;
      if (this.#redis !== redis || !this.#connection) return;
      this.#drop();
      this.#handler.subscriptionsLost();
    });
    // The server drops sharded channels when their slot migrates away: which ones is not said.
    redis.on('moved', () => {
      if (this.#redis === redis) this.reset();
    });
    redis.connect().catch(() => {}); // ioredis keeps trying
  }

  /** The connection; undefined while there is none. */
  get connection(): RedisSubscriberConnection | undefined {
    return this.#connection;
  }

  stop(): void {
    const redis = this.#redis;
    this.#redis = undefined;
    this.#drop();
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
    await this.#requireConnection().subscribe(channels);
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.#requireConnection().unsubscribe(channels);
  }

  #drop(): void {
    if (!this.#connection) return;
    this.#connection = undefined;
    this.#report.linkDown('subscriber');
  }

  #requireConnection(): RedisSubscriberConnection {
    if (!this.#connection) throw new Error('the subscriber is not connected');
    return this.#connection;
  }
}

/** Returns the run id of the server; undefined if it does not say. */
async function readRunId(redis: Redis): Promise<string | undefined> {
  const info = await redis.info('server').catch(() => '');
  return /run_id:(\w+)/.exec(info)?.[1];
}
