import type { RedisConfig } from '../../config/redis-config.ts';
import type { BrokerReport } from '../broker-report.ts';
import type { RedisAgreement } from './redis-agreement.ts';
import { RedisNode } from './redis-node.ts';
import type { ScriptedRedis } from './redis-scripts.ts';
import type { RedisTopology, TopologyHandler } from './redis-topology.ts';

/** One server that holds every partition: a single Redis, or the master that Sentinel names. */
export class RedisSingle implements RedisTopology {
  readonly sharded = false;
  readonly #node: RedisNode;

  constructor(deps: {
    config: RedisConfig;
    agreement: RedisAgreement;
    report: BrokerReport;
    handler: TopologyHandler;
  }) {
    const { config, agreement, report, handler } = deps;
    const all = Array.from({ length: config.partitions }, (_, partition) => partition);
    this.#node = new RedisNode({
      config,
      target: 'configured',
      sharded: this.sharded,
      agreement,
      report,
      handler: {
        signal: (channel, text) => handler.signal(channel, text),
        lost: () => handler.lost(all),
        ready: () => handler.up(all),
        commandsUp: () => handler.up(all),
        commandsDown() {},
      },
    });
  }

  start(options: { subscribe: boolean }): Promise<void> {
    return this.#node.start(options);
  }

  stop(): void {
    this.#node.stop();
  }

  commands(_partition: number): ScriptedRedis {
    return this.#node.commands.redis();
  }

  commandsForKey(_key: string): ScriptedRedis {
    return this.#node.commands.redis();
  }

  publisher(_partition: number): ScriptedRedis {
    return this.#node.publisher.redis();
  }

  subscribe(_partition: number, channels: readonly string[]): Promise<void> {
    return this.#node.subscriber.subscribe(channels);
  }

  unsubscribe(_partition: number, channels: readonly string[]): Promise<void> {
    return this.#node.subscriber.unsubscribe(channels);
  }

  renew(_partition: number): void {
    this.#node.subscriber.renew();
  }

  failed(_error: unknown): void {}
}
