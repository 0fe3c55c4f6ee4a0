import type {
  Broker,
  Digest,
  FeedHandler,
  Published,
  RelayLoad,
  Witness,
} from '../../services/shared/broker/broker.ts';
import { KnownServers } from '../../services/shared/broker/redis/known-servers.ts';
import { RESPONSE_TTL_MS } from '../../services/shared/broker/retention.ts';
import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Update, UpdateBody, Version } from '../../services/shared/update/update.ts';
import { decodeBody, encodeBody } from '../../services/shared/update/update-codec.ts';
import type { NetworkConditions } from './network-conditions.ts';
import { runDigest, runPublish, type ScriptSettings } from './redis-scripts-model.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedLink } from './simulated-link.ts';
import { SimulatedReceipts } from './simulated-receipts.ts';
import type { SimulatedServer } from './simulated-server.ts';
import type { SimulatedShard } from './simulated-shard.ts';
import { SimulatedSubscription } from './simulated-subscription.ts';

/** As in `RedisBroker`, with the default of `REDIS_TIMEOUT`. */
const RESERVATION_TTL_US = 2 * 2_000_000;

/** The servers and the network of a simulated cluster. */
export interface SimulatedCluster {
  readonly partitions: number;
  readonly shards: readonly SimulatedShard[];
  readonly settings: ScriptSettings;
  readonly random: SeededRandom;
  readonly network: NetworkConditions;
}

/** The two connections of a process to a shard. */
interface Links {
  readonly commands: SimulatedLink;
  readonly subscription: SimulatedSubscription;
}

/** A process's broker on simulated Redis servers: behaves as `RedisBroker`, with faults. */
export class SimulatedBroker implements Broker {
  readonly partitions: number;
  readonly receipts: SimulatedReceipts;
  readonly #cluster: SimulatedCluster;
  readonly #links: readonly Links[];
  readonly #servers: KnownServers;
  readonly #published: (partition: number, server: SimulatedServer) => void;
  #handler: FeedHandler | undefined;

  /** @param deps.published called for every publish that takes effect, with the server */
  constructor(deps: {
    name: string;
    cluster: SimulatedCluster;
    clock: Clock;
    published?: (partition: number, server: SimulatedServer) => void;
  }) {
    const { name, cluster, clock } = deps;
    this.#cluster = cluster;
    this.#servers = new KnownServers({ monotonicMs: () => clock.monotonicMs() });
    this.#published = deps.published ?? (() => {});
    this.partitions = cluster.partitions;
    this.#links = cluster.shards.map((shard, place) => {
      const shared = { shard, clock, random: cluster.random.fork(`${name} ${shard.name}`), network: cluster.network };
      const partitions = Array.from({ length: cluster.partitions }, (_, i) => i).filter(
        (partition) => partition % cluster.shards.length === place,
      );
      const subscription = new SimulatedSubscription({
        ...shared,
        name: `${name}/subscriber`,
        partitions,
        handler: () => this.#handler,
        receiveQuery: (text) => this.receipts.receive(text),
      });
      const commands = new SimulatedLink({
        ...shared,
        name: `${name}/commands`,
        handler: {
          up: () => {
            subscription.subscribeFloors();
            this.#handler?.linkUp();
          },
          down() {},
        },
      });
      return { commands, subscription };
    });
    this.receipts = new SimulatedReceipts({
      clock,
      linkOf: (partition) => this.#linksOf(partition).commands,
      partitionOf: ({ topics: [first] }) => this.partitionOf(first as Topic),
    });
  }

  setFeedHandler(handler: FeedHandler): void {
    this.#handler = handler;
  }

  async start(): Promise<void> {
    await Promise.all(
      this.#links.map(({ commands, subscription }) => {
        if (this.#handler) subscription.start();
        return new Promise<void>((resolve) => commands.connect(resolve));
      }),
    );
  }

  async stop(): Promise<void> {
    for (const { commands, subscription } of this.#links) {
      commands.stop();
      subscription.stop();
    }
  }

  partitionOf(topic: Topic): number {
    let hash = 0;
    for (let i = 0; i < topic.length; i += 1) hash = (Math.imul(hash, 31) + topic.charCodeAt(i)) >>> 0;
    return hash % this.partitions;
  }

  async publish(topic: Topic, body: UpdateBody, witness: Witness): Promise<Published> {
    const [published] = await this.publishAll([topic], body, witness);
    return published as Published;
  }

  async publishAll(topics: readonly Topic[], body: UpdateBody, witness: Witness): Promise<readonly Published[]> {
    const partition = this.partitionOf(topics[0] as Topic);
    const text = encodeBody(body);
    const link = this.#linksOf(partition).commands;
    const known = this.#servers.of({ stream: link.connection });
    const { published, server } = await link.call((to) => {
      const call = { partition, topics, body: text, witness, known: known.name };
      const reply = runPublish(to.context(), this.#cluster.settings, call);
      this.#published(partition, to);
      return reply;
    });
    known.learn(server);
    return published;
  }

  digest(partition: number, witness: Witness, cursor: Version): Promise<Digest> {
    return this.#linksOf(partition).commands.call((server) =>
      runDigest(server.context(), this.#cluster.settings, { partition, witness, cursor }),
    );
  }

  watch(topics: readonly Topic[]): Promise<void> {
    return this.#inShards(topics, (links, some) => links.subscription.subscribe(some));
  }

  unwatch(topics: readonly Topic[]): Promise<void> {
    return this.#inShards(topics, (links, some) => links.subscription.unsubscribe(some));
  }

  read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    return Promise.all(
      topics.map((topic) => {
        const partition = this.partitionOf(topic);
        return this.#linksOf(partition).commands.call((server) => {
          const register = server.data.partition(partition).registers.get(topic);
          const nowUs = server.nextNowUs();
          if (!register || register.expiresAtUs <= nowUs) return undefined;
          const { data, ...rest } = decodeBody(register.body);
          const hasData = data !== undefined && register.dataExpiresAtUs > nowUs;
          return { topic, version: register.version, ...rest, ...(hasData && { data }) };
        });
      }),
    );
  }

  exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]> {
    return this.receipts.exchangeLoad(relayId, load);
  }

  loadOrReserve(key: string, reservation: string): Promise<string | undefined> {
    return this.#linksOf(0).commands.call((server) => {
      const nowUs = server.nextNowUs();
      const stored = server.data.responses.get(key);
      if (stored && stored.expiresAtUs > nowUs) return stored.text;
      const expiresAtUs = nowUs + RESERVATION_TTL_US;
      server.write((data) => void data.responses.set(key, { text: reservation, expiresAtUs }));
      return undefined;
    });
  }

  releaseReservation(key: string, reservation: string): Promise<void> {
    return this.#linksOf(0).commands.call((server) => {
      if (server.data.responses.get(key)?.text !== reservation) return;
      server.write((data) => void data.responses.delete(key));
    });
  }

  storeResponse(key: string, response: string): Promise<void> {
    return this.#linksOf(0).commands.call((server) => {
      const expiresAtUs = server.nextNowUs() + RESPONSE_TTL_MS * 1000;
      server.write((data) => void data.responses.set(key, { text: response, expiresAtUs }));
    });
  }

  resetSubscription(partition: number): void {
    this.#linksOf(partition).subscription.reset();
  }

  /** Drops all signals of the current subscriptions, until they are replaced. */
  dropSignals(): void {
    for (const { subscription } of this.#links) subscription.dropSignals();
  }

  /** Resets every connection. */
  reset(): void {
    for (const { commands, subscription } of this.#links) {
      commands.disconnect();
      subscription.disconnect();
    }
  }

  /** The topics with an active subscription. */
  get watched(): readonly Topic[] {
    return this.#links.flatMap(({ subscription }) => [...subscription.topics]);
  }

  #linksOf(partition: number): Links {
    return this.#links[partition % this.#links.length] as Links;
  }

  async #inShards(
    topics: readonly Topic[],
    call: (links: Links, topics: readonly Topic[]) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      this.#links.map((links) => {
        const some = topics.filter((topic) => this.#linksOf(this.partitionOf(topic)) === links);
        return some.length > 0 ? call(links, some) : undefined;
      }),
    );
  }
}
