import type { RedisConfig } from '../../config/redis-config.ts';
import type { BrokerReport } from '../broker-report.ts';
import type { RedisAgreement } from './redis-agreement.ts';
import { createRedisClient, type RedisTarget } from './redis-client.ts';
import { RedisCommands } from './redis-commands.ts';
import { withScripts } from './redis-scripts.ts';
import { RedisSubscriber, type SubscriberHandler } from './redis-subscriber.ts';

/** What a node tells its owner. */
export interface NodeHandler extends SubscriberHandler {
  commandsUp(): void;
  commandsDown(): void;
}

/** The connections to one server: one for commands, one that subscribes. */
export class RedisNode {
  readonly commands: RedisCommands;
  /** For publishing: its own where `WAIT` blocks it, so that digests need not wait too. */
  readonly publisher: RedisCommands;
  readonly subscriber: RedisSubscriber;

  constructor(deps: {
    config: RedisConfig;
    target: RedisTarget;
    sharded: boolean;
    agreement: RedisAgreement;
    report: BrokerReport;
    handler: NodeHandler;
  }) {
    const { config, target, sharded, agreement, report, handler } = deps;
    const connect = (link: 'commands' | 'publisher') =>
      new RedisCommands({
        redis: withScripts(createRedisClient(config, target, `heliograph-${link}`)),
        link,
        agreement,
        report,
        up: () => handler.commandsUp(),
        down: () => handler.commandsDown(),
      });
    this.commands = connect('commands');
    this.publisher = config.waitReplicas === 0 ? this.commands : connect('publisher');
    this.subscriber = new RedisSubscriber({
      connect: () => createRedisClient(config, target, 'heliograph-subscriber'),
      sharded,
      report,
      handler,
    });
  }

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
