import type { Redis } from 'ioredis';
import type { Clock, Timer } from '../../clock.ts';
import { AppError } from '../../errors.ts';
import type { BrokerReport } from '../broker-report.ts';

/** How often a running process confirms the settings in Redis, in milliseconds, as long as its cluster has few relays. */
const CONFIRM_INTERVAL_MS = 1000;
/**
 * In a cluster of more relays, each of them confirms less often, so that all together do so this often in an interval: it is
 * then next to impossible that none does within `RESTORE_TIME_MS`.
 */
const CONFIRMATIONS = 16;
/** The mean of the longest intervals. */
const MAX_CONFIRM_INTERVAL_MS = 30_000;
/** How long a new process leaves it to running ones to restore the settings that Redis has lost, in milliseconds. */
export const RESTORE_TIME_MS = 1500;

/** The commands of Redis by which settings are stored. */
export interface SettingsStore {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, mode: 'NX'): Promise<unknown>;
}

/**
 * The settings that all processes of a cluster must share, since relays with other ones would miss updates. Running
 * processes restore them in Redis if it loses them, so a new process with other settings does not become the cluster.
 */
export class RedisSettings {
  /** Called if the settings turn out to differ after the start, and never agreed. */
  readonly abort: (error: Error) => void;
  readonly #key: string;
  readonly #database: number;
  readonly #settings: string;
  readonly #sharded: boolean;
  readonly #storeAfterMs: number | undefined;
  readonly #clock: Clock;
  readonly #report: Pick<BrokerReport, 'settingsDiffer' | 'evictionPolicy'>;
  /** Whether they have agreed once: this process may serve, and others have started with its settings. */
  #hasAgreed = false;
  #difference: AppError | undefined;
  #timer: Timer | undefined;

  constructor(deps: {
    key: string;
    database: number;
    partitions: number;
    sharded: boolean;
    /** How long a new process waits before it stores missing settings, in milliseconds; undefined if it never does. */
    storeAfterMs: number | undefined;
    clock: Clock;
    report: Pick<BrokerReport, 'settingsDiffer' | 'evictionPolicy'>;
    abort: (error: Error) => void;
  }) {
    this.abort = deps.abort;
    this.#key = deps.key;
    this.#database = deps.database;
    this.#settings = JSON.stringify({ partitions: deps.partitions, pubsub: deps.sharded ? 'sharded' : 'plain' });
    this.#sharded = deps.sharded;
    this.#storeAfterMs = deps.storeAfterMs;
    this.#clock = deps.clock;
    this.#report = deps.report;
  }

  /** Why nothing must be read or written at the moment: the settings agreed before, but differ now. */
  get difference(): AppError | undefined {
    return this.#difference;
  }

  /**
   * Agrees on the settings with a server that is to be used, and reports its eviction policy. Rejects with another error if
   * the server is not usable, such as a replica, or refuses the database.
   * @throws {AppError} `settings_differ` if they never agreed
   */
  async check(redis: Redis): Promise<void> {
    // ioredis has selected it, but would continue with database 0 if that was refused.
    if (this.#database !== 0) await redis.select(this.#database);
    if (!(await redis.info('replication')).includes('role:master')) {
      if (!this.#sharded && (await redis.info('cluster')).includes('cluster_enabled:1')) throw isClusterNode();
      throw new Error('READONLY this server is a replica');
    }
    await this.agree(redis);
    const policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1];
    if (policy !== undefined) this.#report.evictionPolicy(policy);
  }

  /**
   * Compares the settings with those stored in Redis, and stores them if they are missing.
   * @throws {AppError} `settings_differ` if they never agreed
   */
  async agree(store: SettingsStore): Promise<void> {
    const stored = await this.#loadOrStore(store);
    if (stored !== undefined && stored !== this.#settings && !this.#hasAgreed) throw this.#differsFrom(stored);
    this.#compare(stored);
  }

  /**
   * Keeps confirming the settings, on the connection that `link` returns, until `stop`.
   * @param relays returns the number of relays in the cluster, 0 if that is not known
   */
  keepConfirming(link: () => SettingsStore | undefined, relays: () => number): void {
    this.#timer = this.#clock.after(this.#confirmIntervalMs(relays()), () => {
      const store = link();
      if (store && this.#hasAgreed) this.agree(store).catch(() => {}); // every connect checks the settings too
      this.keepConfirming(link, relays);
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #confirmIntervalMs(relays: number): number {
    if (relays <= CONFIRMATIONS) return CONFIRM_INTERVAL_MS;
    const sharedMs = Math.min((CONFIRM_INTERVAL_MS * relays) / CONFIRMATIONS, MAX_CONFIRM_INTERVAL_MS);
    return 2 * sharedMs * this.#clock.random(); // relays that were started together do not stay so
  }

  #compare(stored: string | undefined): void {
    if (stored === undefined) return;
    const differs = stored !== this.#settings;
    if (!differs) this.#hasAgreed = true;
    if (differs === (this.#difference !== undefined)) return;
    this.#difference = differs ? this.#differsFrom(stored) : undefined;
    this.#report.settingsDiffer(this.#difference?.message);
  }

  #differsFrom(stored: string): AppError {
    return new AppError('settings_differ', `this cluster runs with ${stored}, this process with ${this.#settings}`);
  }

  /** Returns the stored settings; undefined if another server holds them, or if there are none and none are stored. */
  async #loadOrStore(store: SettingsStore): Promise<string | undefined> {
    try {
      // Reads first: a Redis that is out of memory rejects writes, but can be used to read.
      const stored = await store.get(this.#key);
      if (stored !== null || this.#storeAfterMs === undefined) return stored ?? undefined;
      if (!this.#hasAgreed) {
        const delayMs = this.#storeAfterMs;
        await new Promise<void>((resolve) => void this.#clock.after(delayMs, resolve));
      }
      await store.set(this.#key, this.#settings, 'NX');
      return (await store.get(this.#key)) ?? undefined;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('MOVED'))) throw error;
      if (!this.#sharded) throw isClusterNode();
      return undefined; // the node that holds the key is checked too
    }
  }
}

function isClusterNode(): AppError {
  return new AppError('settings_differ', 'this Redis is a node of Redis Cluster: set REDIS_CLUSTER_NODES');
}
