import { createLogger } from '../../services/shared/logger.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { UpdateBody, Version } from '../../services/shared/update/update.ts';
import { ClusterPublisher, type PublishedTopic } from '../../services/webhook/cluster-publisher.ts';
import { DeliveryReceipts } from '../../services/webhook/delivery-receipts.ts';
import { createIdempotency, type Idempotent } from '../../services/webhook/idempotency.ts';
import { type Sabotage, sabotagePublisher } from './sabotage.ts';
import { SimulatedBroker, type SimulatedCluster } from './simulated-broker.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** The time after which a reload has been detected, or nothing that was acknowledged was lost, in milliseconds. */
const RELOAD_DETECTED_MS = 20_000;

/** A publisher's call, without HTTP. */
export interface PublisherCall {
  /** The `webhook-id`, the same for a repeated call. */
  readonly id: string;
  readonly topics: readonly Topic[];
  readonly body: UpdateBody;
}

/** A webhook, composed as in `app.ts`, with a simulated broker and without HTTP. */
export class SimulatedWebhook {
  readonly process: SimulatedProcess;
  readonly broker: SimulatedBroker;
  readonly #cluster: SimulatedCluster;
  readonly #sabotage: Sabotage | undefined;
  readonly #publisher: ClusterPublisher;
  readonly #idempotent: Idempotent;
  readonly #receipts: DeliveryReceipts;
  /** The time at which a replaced master last accepted an update of this webhook, by partition. */
  readonly #atReplacedMaster = new Map<number, number>();
  /** The time at which a master that will load older data last accepted one, by partition. */
  readonly #beforeReload = new Map<number, number>();
  readonly #nowMs: () => number;

  constructor(deps: {
    process: SimulatedProcess;
    cluster: SimulatedCluster;
    nowMs: () => number;
    sabotage: Sabotage | undefined;
  }) {
    const { process, cluster, nowMs, sabotage } = deps;
    const { clock, name } = process;
    this.process = process;
    this.#cluster = cluster;
    this.#sabotage = sabotage;
    this.#nowMs = nowMs;
    this.broker = new SimulatedBroker({
      name,
      cluster,
      clock,
      confirmsSettings: sabotage !== 'settings',
      published: (partition, server) => {
        const shard = cluster.shards[partition % cluster.shards.length];
        if (server !== shard?.master) this.#atReplacedMaster.set(partition, nowMs());
        if (shard?.isReloading) this.#beforeReload.set(partition, nowMs());
      },
    });
    const report = { updateLost() {} };
    this.#publisher = new ClusterPublisher({ broker: sabotagePublisher(this.broker, sabotage), clock, report });
    this.#receipts = new DeliveryReceipts({
      querier: this.broker.receipts,
      floors: (topics, seen) => this.#publisher.floors(topics, seen),
      clock,
      maxCalls: 100,
      report: { receiptsQueried() {}, waitEnded() {} },
    });
    const logger = createLogger({ name: 'webhook', level: 'silent' });
    this.#idempotent = createIdempotency({ store: this.broker, logger, clock });
  }

  /**
   * The one assumption of the promise: if a replaced master acknowledged an update, or a master that loads older data in
   * the same process, the webhook that published it lives to detect that. So it must not be killed before the floor of
   * the partition was raised after that.
   */
  get mayDie(): boolean {
    const mayLose = [...this.#beforeReload].some(([partition, atMs]) => {
      const shard = this.#cluster.shards[partition % this.#cluster.shards.length];
      if (!shard || shard.isReloading) return true;
      const { reloadedAtMs } = shard;
      const isDetected = (shard.floorRaisedAtMs(partition) ?? 0) > reloadedAtMs;
      return reloadedAtMs >= atMs && !isDetected && this.#nowMs() - reloadedAtMs < RELOAD_DETECTED_MS;
    });
    if (mayLose) return false;
    return [...this.#atReplacedMaster].every(([partition, atMs]) => {
      const shard = this.#cluster.shards[partition % this.#cluster.shards.length];
      return (shard?.floorRaisedAtMs(partition) ?? 0) > atMs;
    });
  }

  start(): void {
    void this.broker.start();
    if (this.#sabotage !== 'reminder') this.#publisher.start();
  }

  kill(): void {
    this.process.kill();
    this.#publisher.stop();
    this.#receipts.close();
    void this.broker.stop();
  }

  /** Resolves with the version of each topic if the reply is 200; rejects if it is 503. */
  async post({ id, topics, body }: PublisherCall): Promise<ReadonlyMap<Topic, Version>> {
    const call = { credentialId: 'publisher', webhookId: id, body: Buffer.from(JSON.stringify([topics, body])) };
    const { result } = await this.#idempotent(call, async () => ({
      updates: await this.#publisher.publish(topics, body),
    }));
    return new Map(result.updates.map(({ topic, version }) => [topic, version]));
  }

  /** Waits until all relays have delivered updates, at most for `timeoutMs`. Returns whether they have. */
  async waitUntilDelivered(updates: readonly PublishedTopic[], timeoutMs: number): Promise<boolean> {
    const connected = new AbortController().signal;
    return (await this.#receipts.waitUntilDelivered(updates, timeoutMs, connected)).delivered;
  }
}
