import type { ScriptedRedis } from './redis-scripts.ts';

/** Which servers hold which partitions, and the connections to them. */
export interface RedisTopology {
  /** Whether signals go by sharded pub/sub (`SPUBLISH`). */
  readonly sharded: boolean;
  /**
   * Connects. Resolves when usable, or when the first attempt failed: then it goes on trying. Rejects with
   * `settings_differ` where this process must not take part.
   */
  start(options: { subscribe: boolean }): Promise<void>;
  stop(): void;
  /** The connection to the server of a partition. Throws `broker_unavailable` while there is none that may be used. */
  commands(partition: number): ScriptedRedis;
  /** The same for a key outside of the partitions. */
  commandsForKey(key: string): ScriptedRedis;
  /** The same as `commands`, for publishing. */
  publisher(partition: number): ScriptedRedis;
  /** Resolves once the server of the partition has acknowledged all these channels of it. */
  subscribe(partition: number, channels: readonly string[]): Promise<void>;
  unsubscribe(partition: number, channels: readonly string[]): Promise<void>;
  /** Gives up the subscriptions on the connection that carries the partition. */
  renew(partition: number): void;
  /** A call failed: perhaps what it was for lives elsewhere now. */
  failed(error: unknown): void;
}

/** What a topology tells its owner. */
export interface TopologyHandler {
  signal(channel: string, text: string): void;
  /** The subscriptions of these partitions are void. */
  lost(partitions: readonly number[]): void;
  /** A connection that these partitions need has come up. */
  up(partitions: readonly number[]): void;
}
