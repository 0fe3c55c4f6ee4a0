import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { SignalProof } from '../broker.ts';

/** Channels per SUBSCRIBE: few enough that one command completes within the time-out. */
const BATCH = 1000;

/** A marker that a probe is to publish. */
export interface Marker {
  readonly channel: string;
  readonly text: string;
  /**
   * Waits for the marker, after the server has replied that it was published. Returns what its arrival proves, provided
   * that it was published by the server of the connection.
   */
  arrival(waitMs: number): Promise<SignalProof>;
  /** Waits no longer: the probe failed, so it is not known whether the marker was published. */
  abandon(): void;
}

/** The markers of a channel. */
interface MarkerChannel {
  created: number;
  /** The markers that are waited for, and what to call when they arrive. */
  readonly awaited: Map<string, () => void>;
  /** A marker that did not arrive in time. */
  overdue: string | undefined;
}

/** A connection that subscribes, from its connect to its loss. */
export class RedisSubscriberConnection {
  /** Part of the names of its marker channels, so that no other connection receives its markers. */
  readonly id = randomUUID();
  /** The server process that it is attached to; undefined if that is not known. */
  readonly runId: string | undefined;
  readonly #redis: Redis;
  readonly #sharded: boolean;
  /** Channels with an acknowledged subscription. */
  readonly #channels = new Set<string>();
  /** Channels of commands without a reply: the server may have them or not. */
  readonly #uncertain = new Set<string>();
  readonly #markers = new Map<string, MarkerChannel>();
  #counting: Promise<SignalProof> | undefined;

  constructor(deps: { redis: Redis; sharded: boolean; runId: string | undefined }) {
    this.#redis = deps.redis;
    this.#sharded = deps.sharded;
    this.runId = deps.runId;
  }

  /** Resolves once Redis has acknowledged every channel. With sharded pub/sub all must be in one slot. */
  async subscribe(channels: readonly string[]): Promise<void> {
    await inBatches(channels, (batch) => this.#subscribe(batch));
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await inBatches(channels, (batch) =>
      this.#send(batch, 'delete', () =>
        this.#sharded ? this.#redis.sunsubscribe(...batch) : this.#redis.unsubscribe(...batch),
      ),
    );
  }

  /** Takes a message if it is a marker; returns whether it was. */
  receive(channel: string, text: string): boolean {
    const markers = this.#markers.get(channel);
    if (!markers) return false;
    if (markers.overdue === text) markers.overdue = undefined;
    markers.awaited.get(text)?.();
    return true;
  }

  /**
   * Returns a marker for a probe to publish. Undefined, after subscribing to the channel, if that is not acknowledged yet:
   * a marker could be published before that.
   */
  createMarker(channel: string): Marker | undefined {
    const markers = this.#markers.get(channel) ?? { created: 0, awaited: new Map(), overdue: undefined };
    this.#markers.set(channel, markers);
    if (!this.#channels.has(channel)) {
      this.#subscribe([channel]).catch(() => {}); // the next probe tries again
      return undefined;
    }
    markers.created += 1;
    const text = String(markers.created);
    const isOverdue = markers.overdue !== undefined;
    const counted = this.#count(channel);
    const arrived = new Promise<void>((resolve) => markers.awaited.set(text, resolve));
    return {
      channel,
      text,
      async arrival(waitMs) {
        const proof = isOverdue ? 'lost' : await within(waitMs, bothOf(arrived, counted));
        markers.awaited.delete(text);
        if (proof === undefined) markers.overdue = text;
        return proof ?? 'unproven';
      },
      abandon: () => void markers.awaited.delete(text),
    };
  }

  /** Compares the number of channels that the server counts for this connection, once for all calls of a turn. */
  #count(channel: string): Promise<SignalProof> {
    if (!this.#counting) this.#repeatUncertain();
    this.#counting ??= this.#subscribe([channel])
      .catch((): SignalProof => 'unproven')
      .finally(() => {
        this.#counting = undefined;
      });
    return this.#counting;
  }

  /**
   * Subscribes again to channels without a reply. Without it the count means nothing, and those of floors are not repeated
   * otherwise. A channel that was to be unsubscribed costs only unused signals.
   */
  #repeatUncertain(): void {
    const channels = [...this.#uncertain].slice(0, BATCH);
    const commands = this.#sharded ? channels.map((channel) => [channel]) : [channels];
    for (const each of commands) if (each.length > 0) this.#subscribe(each).catch(() => {}); // the next probe tries again
  }

  /** Returns what the server's count of channels, which is part of its reply, says of those acknowledged so far. */
  #subscribe(channels: readonly string[]): Promise<SignalProof> {
    return this.#send(channels, 'add', () =>
      this.#sharded ? this.#redis.ssubscribe(...channels) : this.#redis.subscribe(...channels),
    );
  }

  #send(channels: readonly string[], change: 'add' | 'delete', send: () => Promise<unknown>): Promise<SignalProof> {
    // Replies come in the order of the commands, so each finds the channels as they were for the server.
    return send().then(
      (count) => {
        for (const channel of channels) {
          this.#channels[change](channel);
          this.#uncertain.delete(channel);
        }
        if (Number(count) < this.#channels.size) return 'lost';
        return Number(count) === this.#channels.size && this.#uncertain.size === 0 ? 'complete' : 'unproven';
      },
      (error: unknown) => {
        const isRefused = error instanceof Error && error.name === 'ReplyError';
        for (const channel of channels) this.#uncertain[isRefused ? 'delete' : 'add'](channel);
        throw error;
      },
    );
  }
}

async function inBatches(channels: readonly string[], send: (batch: readonly string[]) => Promise<unknown>) {
  for (let i = 0; i < channels.length; i += BATCH) await send(channels.slice(i, i + BATCH));
}

async function bothOf(arrived: Promise<void>, counted: Promise<SignalProof>): Promise<SignalProof> {
  await arrived;
  return counted;
}

/** Resolves with the result of a promise, or with undefined after some time. */
async function within<T>(waitMs: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, waitMs, undefined);
    timer.unref();
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
