import type {
  Broker,
  Digest,
  FeedHandler,
  Probe,
  Published,
  RelayLoad,
  Witness,
} from '../../services/shared/broker/broker.ts';
import { KnownServers } from '../../services/shared/broker/redis/known-servers.ts';
import {
  RESTORE_TIME_MS,
  RedisSettings,
  type SettingsStore,
} from '../../services/shared/broker/redis/redis-settings.ts';
import { RESPONSE_TTL_MS } from '../../services/shared/broker/retention.ts';
import type { Clock } from '../../services/shared/clock.ts';
import { AppError } from '../../services/shared/errors.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Update, UpdateBody, Version } from '../../services/shared/update/update.ts';
import { decodeBody, encodeBody } from '../../services/shared/update/update-codec.ts';
import type { NetworkConditions } from './network-conditions.ts';
import { runDigest, runProbe, runPublish, type ScriptSettings } from './redis-scripts-model.ts';
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
  /** Within which time relays compare all registers with the versions in Redis, in milliseconds. */
  readonly auditIntervalMs: number;
  readonly random: SeededRandom;
  readonly network: NetworkConditions;
  /** The ids of all relays that have ever registered. */
  readonly relaysRegistered: Set<string>;
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
  readonly #settings: RedisSettings;
  readonly #confirmsSettings: boolean;
  /** The places of the shards whose servers are connected, and were found to have the same settings. */
  readonly #usable = new Set<number>();
  /** The last check of the settings on each shard. */
  readonly #checks = new Map<number, Promise<void>>();
  #handler: FeedHandler | undefined;

  /**
   * @param deps.partitions if it differs from that of the cluster
   * @param deps.storeSettingsAfterMs how long a new process waits before it stores missing settings, in milliseconds
   * @param deps.confirmsSettings false for a process that does not restore the settings that Redis loses while it runs
   * @param deps.abort called if the settings turn out to differ, before they ever agreed
   * @param deps.published called for every publish that takes effect, with the server
   */
  constructor(deps: {
    name: string;
    cluster: SimulatedCluster;
    clock: Clock;
    partitions?: number;
    storeSettingsAfterMs?: number;
    confirmsSettings?: boolean;
    abort?: (error: Error) => void;
    published?: (partition: number, server: SimulatedServer) => void;
  }) {
    const { name, cluster, clock, partitions: count = cluster.partitions } = deps;
    this.#cluster = cluster;
    this.#servers = new KnownServers({ monotonicMs: () => clock.monotonicMs() });
    this.#published = deps.published ?? (() => {});
    this.partitions = count;
    this.#confirmsSettings = deps.confirmsSettings ?? true;
    this.#settings = new RedisSettings({
      key: 'config',
      database: 0,
      partitions: count,
      sharded: false,
      storeAfterMs: deps.storeSettingsAfterMs ?? RESTORE_TIME_MS,
      clock,
      report: { settingsDiffer() {}, evictionPolicy() {} },
      abort: deps.abort ?? (() => {}),
    });
    this.#links = cluster.shards.map((shard, place) => {
      const shared = { shard, clock, random: cluster.random.fork(`${name} ${shard.name}`), network: cluster.network };
      const partitions = Array.from({ length: count }, (_, i) => i).filter(
        (partition) => partition % cluster.shards.length === place,
      );
      const subscription = new SimulatedSubscription({
        ...shared,
        name: `${name}/subscriber`,
        partitions,
        handler: () => this.#handler,
        receiveQuery: (text) => this.receipts.receive(text),
        numbersMarkers: cluster.settings.sabotage !== 'marker-number',
      });
      const commands = new SimulatedLink({
        ...shared,
        name: `${name}/commands`,
        handler: {
          up: () => void this.#checks.set(place, this.#makeUsable(place)),
          down: () => void this.#usable.delete(place),
        },
      });
      return { commands, subscription };
    });
    this.receipts = new SimulatedReceipts({
      clock,
      call: (partition, run) => this.#call(partition, run),
      partitionOf: ({ topics: [first] }) => this.partitionOf(first as Topic),
      relaysRegistered: cluster.relaysRegistered,
    });
  }

  setFeedHandler(handler: FeedHandler): void {
    this.#handler = handler;
  }

  async start(): Promise<void> {
    const store = () => (this.#usable.has(0) ? this.#store : undefined);
    if (this.#confirmsSettings) this.#settings.keepConfirming(store, () => 0); // too few relays to share the work
    await Promise.all(
      this.#links.map(({ commands, subscription }, place) => {
        if (this.#handler) subscription.start();
        return new Promise<void>((resolve) => commands.connect(() => resolve(this.#checks.get(place))));
      }),
    );
  }

  async stop(): Promise<void> {
    this.#settings.stop();
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
    const known = this.#servers.of({ stream: this.#linksOf(partition).commands.connection });
    const { published, server } = await this.#call(partition, (to) => {
      const call = { partition: this.#stored(partition), topics, body: text, witness, known: known.name };
      const reply = runPublish(to.context(), this.#cluster.settings, call);
      this.#published(partition, to);
      return reply;
    });
    known.learn(server);
    return published;
  }

  digest(partition: number, witness: Witness, cursor: Version): Promise<Digest> {
    return this.#call(partition, (server) =>
      runDigest(server.context(), this.#cluster.settings, { partition: this.#stored(partition), witness, cursor }),
    );
  }

  async probe(partition: number, witness: Witness, waitMs: number): Promise<Probe> {
    const marker = this.#linksOf(partition).subscription.createMarker();
    const { state, runId } = await this.#call(partition, (server) => {
      const call = { partition: this.#stored(partition), witness };
      const reply = runProbe(server.context(), this.#cluster.settings, call);
      if (marker) server.publishMarker(marker.channel, marker.text);
      return { state: reply, runId: server.identity.runId };
    });
    const isSameServer = marker?.runId === runId || this.#cluster.settings.sabotage === 'marker-server';
    const signals = marker && isSameServer ? await marker.arrival(waitMs) : 'unproven';
    return { ...state, signals };
  }

  recentVersions(topics: readonly Topic[]): Promise<(Version | undefined)[]> {
    return Promise.all(
      topics.map((topic) => {
        const partition = this.partitionOf(topic);
        return this.#call(partition, (server) => server.data.partition(this.#stored(partition)).recent.get(topic));
      }),
    );
  }

  watch(topics: readonly Topic[]): Promise<void> {
    if (this.#stored(0) !== 0) return Promise.resolve(); // these channels have no publisher
    return this.#inShards(topics, (links, some) => links.subscription.subscribe(some));
  }

  unwatch(topics: readonly Topic[]): Promise<void> {
    return this.#inShards(topics, (links, some) => links.subscription.unsubscribe(some));
  }

  read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    return Promise.all(
      topics.map((topic) => {
        const partition = this.partitionOf(topic);
        return this.#call(partition, (server) => {
          const register = server.data.partition(this.#stored(partition)).registers.get(topic);
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
    return this.#call(0, (server) => {
      const nowUs = server.nextNowUs();
      const stored = server.data.responses.get(key);
      if (stored && stored.expiresAtUs > nowUs) return stored.text;
      const expiresAtUs = nowUs + RESERVATION_TTL_US;
      server.write((data) => void data.responses.set(key, { text: reservation, expiresAtUs }));
      return undefined;
    });
  }

  releaseReservation(key: string, reservation: string): Promise<void> {
    return this.#call(0, (server) => {
      if (server.data.responses.get(key)?.text !== reservation) return;
      server.write((data) => void data.responses.delete(key));
    });
  }

  storeResponse(key: string, response: string): Promise<void> {
    return this.#call(0, (server) => {
      const expiresAtUs = server.nextNowUs() + RESPONSE_TTL_MS * 1000;
      server.write((data) => void data.responses.set(key, { text: response, expiresAtUs }));
    });
  }

  resetSubscription(partition: number): void {
    this.#linksOf(partition).subscription.reset();
  }

  /** Drops all signals of the current subscriptions, or of that of one partition, until they are replaced. */
  dropSignals(partition?: number): void {
    const links = partition === undefined ? this.#links : [this.#linksOf(partition)];
    for (const { subscription } of links) subscription.dropSignals();
  }

  /** Makes the servers forget some subscriptions, or drop their signals. */
  loseSubscriptions(topics: readonly Topic[], how: 'forget' | 'mute'): void {
    for (const { subscription } of this.#links) subscription[how](topics);
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

  /** The settings are stored on the first shard. */
  get #store(): SettingsStore {
    const { commands } = this.#links[0] as Links;
    return {
      get: () => commands.call((server) => server.data.config ?? null),
      set: (_key, value) =>
        commands.call((server) =>
          server.write((data) => {
            data.config ??= value;
          }),
        ),
    };
  }

  /** Checks the settings, as after every connect, then lets calls use the connection. */
  async #makeUsable(place: number): Promise<void> {
    const { commands, subscription } = this.#links[place] as Links;
    const { server } = commands;
    try {
      if (place === 0) await this.#settings.agree(this.#store);
    } catch (error) {
      if (error instanceof AppError && error.code === 'settings_differ') this.#settings.abort(error);
      else if (commands.server === server) commands.disconnect();
      return;
    }
    if (commands.server !== server) return; // it is checked again
    this.#usable.add(place);
    subscription.subscribeFloors();
    this.#handler?.linkUp();
    if (!this.#handler) this.receipts.membership().catch(() => {}); // as in `RedisBroker`
  }

  #call<T>(partition: number, run: (server: SimulatedServer) => T): Promise<T> {
    const { difference } = this.#settings;
    if (difference) return Promise.reject(difference);
    const place = partition % this.#links.length;
    if (!this.#usable.has(place)) return Promise.reject(new AppError('broker_unavailable'));
    return (this.#links[place] as Links).commands.call(run);
  }

  /** Returns the partition as Redis knows it: a process with another number of partitions has other hash tags. */
  #stored(partition: number): number {
    return this.partitions === this.#cluster.partitions ? partition : this.#cluster.partitions + partition;
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
