import { createLogger } from '../../services/shared/logger.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { UpdateBody, Version } from '../../services/shared/update/update.ts';
import { ClusterPublisher } from '../../services/webhook/cluster-publisher.ts';
import { createIdempotency, type Idempotent } from '../../services/webhook/idempotency.ts';
import { SimulatedBroker, type SimulatedCluster } from './simulated-broker.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** A publisher's call, without HTTP around it. */
export interface PublisherCall {
  /** The `webhook-id`: the same when the call is repeated. */
  readonly id: string;
  readonly topics: readonly Topic[];
  readonly body: UpdateBody;
}

/** A webhook as `webhook.ts` puts it together, on a simulated broker and behind no HTTP. */
export class SimulatedWebhook {
  readonly process: SimulatedProcess;
  readonly broker: SimulatedBroker;
  readonly #cluster: SimulatedCluster;
  readonly #publisher: ClusterPublisher;
  readonly #idempotent: Idempotent;
  /** When a replaced master last took in something of ours, by partition. */
  readonly #atReplacedMaster = new Map<number, number>();

  constructor(deps: { process: SimulatedProcess; cluster: SimulatedCluster; nowMs: () => number }) {
    const { process, cluster, nowMs } = deps;
    const { clock, name } = process;
    this.process = process;
    this.#cluster = cluster;
    this.broker = new SimulatedBroker({
      name,
      cluster,
      clock,
      published: (partition, server) => {
        const shard = cluster.shards[partition % cluster.shards.length];
        if (server !== shard?.master) this.#atReplacedMaster.set(partition, nowMs());
      },
    });
    this.#publisher = new ClusterPublisher({ broker: this.broker, clock });
    const logger = createLogger({ name: 'webhook', level: 'silent' });
    this.#idempotent = createIdempotency({ store: this.broker, logger });
  }

  /**
   * The promise's one assumption (DESIGN, section 1): where a master that was already replaced has acknowledged
   * something, the webhook that published it lives to notice. So it must not be killed before the floor of the
   * partition has been raised on the new master after that.
   */
  get mayDie(): boolean {
    return [...this.#atReplacedMaster].every(([partition, atMs]) => {
      const shard = this.#cluster.shards[partition % this.#cluster.shards.length];
      return (shard?.floorRaisedAtMs(partition) ?? 0) > atMs;
    });
  }

  start(): void {
    void this.broker.start();
    this.#publisher.start();
  }

  kill(): void {
    this.process.kill();
    this.#publisher.stop();
    void this.broker.stop();
  }

  /** Resolves with the version of each topic where it answers 200; rejects where it answers 503. */
  async post({ id, topics, body }: PublisherCall): Promise<ReadonlyMap<Topic, Version>> {
    const call = { credentialId: 'publisher', webhookId: id, body: Buffer.from(JSON.stringify([topics, body])) };
    const { result } = await this.#idempotent(call, async () => ({
      updates: await this.#publisher.publish(topics, body),
    }));
    return new Map(result.updates.map(({ topic, version }) => [topic, version]));
  }
}
