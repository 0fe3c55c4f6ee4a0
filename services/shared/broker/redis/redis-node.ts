import type { Redis } from 'ioredis';
import type { RedisConfig } from '../../config/redis-config.ts';
import { AppError } from '../../errors.ts';
import type { BrokerReport, LinkName } from '../broker-report.ts';
import { createRedisClient, type RedisTarget } from './redis-client.ts';
import type { RedisSettings } from './redis-settings.ts';
import { RedisSubscriber, type SubscriberHandler } from './redis-subscriber.ts';

/** Receives the events of a node. `connected` is called for its subscriber and for its command connections. */
export interface NodeHandler extends SubscriberHandler {
  commandsLost(): void;
}

/** The connections to one server: one or two for commands, one that subscribes. */
export class RedisNode {
  readonly commands: RedisCommands;
  /** The connection for publishing. Separate if `WAIT` blocks it, so that other commands need not wait. */
  readonly publisher: RedisCommands;
  readonly subscriber: RedisSubscriber;

  constructor(deps: {
    config: RedisConfig;
    target: RedisTarget;
    sharded: boolean;
    settings: RedisSettings;
    prepare: (redis: Redis) => Promise<void>;
    report: BrokerReport;
    handler: NodeHandler;
    /** Returns the number of relays in the cluster, 0 if that is not known. */
    relays: () => number;
  }) {
    const { config, target, sharded, settings, prepare, report, handler, relays } = deps;
    const connect = (link: 'commands' | 'publisher') =>
      new RedisCommands({
        redis: createRedisClient(config, target, `heliograph-${link}`, relays),
        link,
        settings,
        prepare,
        report,
        handler,
      });
    this.commands = connect('commands');
    this.publisher = config.waitReplicas === 0 ? this.commands : connect('publisher');
    this.subscriber = new RedisSubscriber({
      connect: () => createRedisClient(config, target, 'heliograph-subscriber', relays),
      sharded,
      report,
      handler,
    });
  }

  /**
   * Connects. Resolves once its commands are usable, or after the first attempt failed: then it keeps trying.
   * @throws {AppError} `settings_differ` if the cluster runs with other settings than this process
   */
  async start(options: { subscribe: boolean }): Promise<void> {
    if (options.subscribe) this.subscriber.start();
    await Promise.all([...this.#connections()].map((connection) => connection.start()));
  }

  stop(): void {
    this.subscriber.stop();
    for (const connection of this.#connections()) connection.stop();
  }

  #connections(): Set<RedisCommands> {
    return new Set([this.commands, this.publisher]);
  }
}

/**
 * A connection for commands. Usable only after the settings of the cluster were compared with those of this process,
 * which happens after every connect: Redis may have lost its data.
 */
class RedisCommands {
  readonly #redis: Redis;
  readonly #link: LinkName;
  readonly #settings: RedisSettings;
  readonly #prepare: (redis: Redis) => Promise<void>;
  readonly #report: BrokerReport;
  readonly #handler: NodeHandler;
  #usable = false;

  constructor(deps: {
    redis: Redis;
    link: LinkName;
    settings: RedisSettings;
    prepare: (redis: Redis) => Promise<void>;
    report: BrokerReport;
    handler: NodeHandler;
  }) {
    this.#redis = deps.redis;
    this.#link = deps.link;
    this.#settings = deps.settings;
    this.#prepare = deps.prepare;
    this.#report = deps.report;
    this.#handler = deps.handler;
  }

  async start(): Promise<void> {
    this.#redis.on('close', () => {
      if (this.#usable) this.#report.linkDown(this.#link);
      this.#usable = false;
      this.#handler.commandsLost();
    });
    this.#redis.on('error', (error: Error) => this.#report.linkFailed(this.#link, error.message));
    let abort = this.#settings.abort;
    await new Promise<void>((resolve, reject) => {
      abort = reject;
      this.#redis.on('ready', () => {
        this.#makeUsable().then(
          () => {
            this.#usable = true;
            this.#report.linkUp(this.#link);
            this.#handler.connected();
            resolve();
          },
          (error: unknown) => {
            if (error instanceof AppError) return abort(error);
            // The server may be full or read-only, or its ACL may refuse commands.
            this.#report.linkFailed(this.#link, error instanceof Error ? error.message : String(error));
            this.#redis.disconnect(true); // reconnects after a delay
            resolve();
          },
        );
      });
      this.#redis.connect().catch(() => resolve());
    });
    abort = this.#settings.abort;
  }

  stop(): void {
    this.#redis.disconnect();
  }

  async #makeUsable(): Promise<void> {
    await this.#settings.check(this.#redis);
    await this.#prepare(this.#redis);
  }

  /** The connection while it is usable, also if the settings of the cluster differ at the moment. */
  get link(): Redis | undefined {
    return this.#usable ? this.#redis : undefined;
  }

  /**
   * Returns the connection.
   * @throws {AppError} `broker_unavailable` while it is not usable; `settings_differ`
   */
  redis(): Redis {
    if (this.#settings.difference) throw this.#settings.difference;
    if (!this.#usable) throw new AppError('broker_unavailable');
    return this.#redis;
  }
}
