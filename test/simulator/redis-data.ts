import type { RelayLoad } from '../../services/shared/broker/broker.ts';
import type { RelaysSeen } from '../../services/shared/broker/redis/registered-relays.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';

/** The hash `meta` of a partition. */
export interface Meta {
  floor: Version;
  last: Version;
  history: string;
  raise: string;
  trimmed: Version | undefined;
  /** The run id and replication id of the server at the last check. */
  server: string;
  /** How often that process had loaded data. */
  loaded: number;
  /** The newest acknowledgement of each publisher for which the floor was raised, and that floor. */
  covered: ReadonlyMap<string, { readonly sequence: number; readonly floor: Version }>;
  /** The newest version assigned to each publisher. */
  published: ReadonlyMap<string, Version>;
}

/** The data of one partition. */
export interface PartitionData {
  /** The hash `meta`; undefined if it does not exist. */
  meta: Meta | undefined;
  readonly registers: Map<
    Topic,
    { readonly version: Version; readonly body: string; readonly expiresAtUs: number; readonly dataExpiresAtUs: number }
  >;
  readonly recent: Map<Topic, Version>;
}

/** The data of a Redis server. */
export class RedisData {
  /** The settings of the cluster. */
  config: string | undefined;
  readonly responses = new Map<string, { readonly text: string; readonly expiresAtUs: number }>();
  /** The relay registry. */
  readonly relays = new Map<
    string,
    { readonly load: RelayLoad; readonly seen: RelaysSeen; readonly storedAtUs: number; readonly ttlMs: number }
  >();
  /** The record of the registry: when it was created, and last lost entries (0 if never), and on which server. */
  registry: { readonly createdAtUs: number; readonly lostAtUs: number; readonly server: string } | undefined;
  /** Stored receipt queries, encoded. */
  readonly queries = new Map<string, { readonly text: string; readonly expiresAtUs: number }>();
  /** The encoded replies to each receipt query. */
  readonly replies = new Map<string, { readonly byRelay: ReadonlyMap<string, string>; readonly expiresAtUs: number }>();
  readonly #partitions = new Map<number, PartitionData>();

  partition(partition: number): PartitionData {
    let data = this.#partitions.get(partition);
    if (!data) {
      data = { meta: undefined, registers: new Map(), recent: new Map() };
      this.#partitions.set(partition, data);
    }
    return data;
  }

  /** Deletes everything. */
  clear(): void {
    this.config = undefined;
    this.registry = undefined;
    for (const map of [this.responses, this.relays, this.queries, this.replies]) map.clear();
    this.#partitions.clear();
  }

  /** Returns an independent copy, such as a snapshot on disk. */
  copy(): RedisData {
    const copy = new RedisData();
    copy.config = this.config;
    copy.registry = this.registry;
    for (const [key, response] of this.responses) copy.responses.set(key, response);
    for (const [id, relay] of this.relays) copy.relays.set(id, relay);
    for (const [id, query] of this.queries) copy.queries.set(id, query);
    for (const [id, replies] of this.replies) copy.replies.set(id, replies);
    for (const [partition, { meta, registers, recent }] of this.#partitions) {
      copy.#partitions.set(partition, {
        meta: meta && { ...meta },
        registers: new Map(registers),
        recent: new Map(recent),
      });
    }
    return copy;
  }
}
