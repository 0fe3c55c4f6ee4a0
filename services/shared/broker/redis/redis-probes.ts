import type { Redis } from 'ioredis';
import type { Probe, Witness } from '../broker.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisScripts } from './redis-scripts.ts';
import { callRedis, type RedisTopology } from './redis-topology.ts';

/** A probe that waits for its reply. */
interface Waiting {
  readonly partition: number;
  readonly witness: Witness;
  readonly waitMs: number;
  resolve(probe: Probe): void;
  reject(error: unknown): void;
}

type Topology = Pick<RedisTopology, 'sharded' | 'commands' | 'subscriber' | 'callFailed'>;

/**
 * Probes of partitions, see `BrokerFeed.probe`: a script checks the partitions and publishes a marker, which arrives on the
 * subscriber connection behind the signals of all earlier updates. One call covers all partitions of a server, except on
 * Redis Cluster, since a script there runs on one slot.
 */
export class RedisProbes {
  readonly #keys: RedisKeys;
  readonly #topology: Topology;
  readonly #scripts: RedisScripts;
  /** The probes of this turn of the event loop, by the call in which they are sent: of a server, or of a partition. */
  readonly #batches = new Map<Redis | number, Waiting[]>();

  constructor(deps: { keys: RedisKeys; topology: Topology; scripts: RedisScripts }) {
    this.#keys = deps.keys;
    this.#topology = deps.topology;
    this.#scripts = deps.scripts;
  }

  probe(partition: number, witness: Witness, waitMs: number): Promise<Probe> {
    return callRedis(this.#topology, () => {
      const redis = this.#topology.commands(partition);
      return new Promise<Probe>((resolve, reject) => {
        this.#batchOf(partition, redis).push({ partition, witness, waitMs, resolve, reject });
      });
    });
  }

  /** Subscribes to the markers of a partition, so that its first probe can use them. */
  prepare(partition: number): void {
    const connection = this.#topology.subscriber(partition)?.connection;
    connection?.subscribe([this.#channel(partition, connection.id)]).catch(() => {}); // a probe tries again
  }

  #batchOf(partition: number, redis: Redis): Waiting[] {
    const key = this.#topology.sharded ? partition : redis;
    const begun = this.#batches.get(key);
    if (begun) return begun;
    const batch: Waiting[] = [];
    this.#batches.set(key, batch);
    setImmediate(() => {
      this.#batches.delete(key);
      void this.#send(redis, batch);
    });
    return batch;
  }

  async #send(redis: Redis, probes: readonly Waiting[]): Promise<void> {
    const first = probes[0]?.partition ?? 0;
    const connection = this.#topology.subscriber(first)?.connection;
    const marker = connection?.createMarker(this.#channel(first, connection.id));
    try {
      const witnesses = probes.map(({ partition, witness }) => [partition, witness] as const);
      const { runId, states } = await this.#scripts.probe(redis, { witnesses, marker });
      // A marker of another server, such as the master of a replica, may overtake updates that get lost on their way.
      const isSameServer = runId === connection?.runId;
      const waitMs = Math.max(...probes.map((waiting) => waiting.waitMs));
      const signals = marker && isSameServer ? await marker.arrival(waitMs) : 'unproven';
      probes.forEach(({ resolve, reject }, i) => {
        const state = states[i];
        if (state) resolve({ ...state, signals });
        else reject(new Error('the script returned no state of this partition'));
      });
    } catch (error) {
      marker?.abandon();
      for (const { reject } of probes) reject(error);
    }
  }

  /** The channel of markers: of the partition's slot on Redis Cluster, else one for all. */
  #channel(partition: number, connectionId: string): string {
    return this.#keys.markerChannel(this.#topology.sharded ? partition : 0, connectionId);
  }
}
