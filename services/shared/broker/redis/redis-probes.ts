import type { Redis } from 'ioredis';
import type { Probe, Witness } from '../broker.ts';
import type { BrokerReport } from '../broker-report.ts';
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

/** Probes of one turn of the event loop that are sent in one call: those of a server whose callers know the same epoch. */
interface Batch {
  readonly redis: Redis;
  readonly epoch: string;
  readonly probes: Waiting[];
}

type Topology = Pick<RedisTopology, 'sharded' | 'commands' | 'subscriber' | 'callFailed'>;

/**
 * Probes of partitions, see `BrokerFeed.probe`: a script checks the partitions of a server and publishes a marker, which
 * arrives on the subscriber connection behind the signals of all earlier updates.
 */
export class RedisProbes {
  readonly #keys: RedisKeys;
  readonly #topology: Topology;
  readonly #scripts: RedisScripts;
  readonly #report: Pick<BrokerReport, 'probeRefused'>;
  #batches: Batch[] = [];

  constructor(deps: {
    keys: RedisKeys;
    topology: Topology;
    scripts: RedisScripts;
    report: Pick<BrokerReport, 'probeRefused'>;
  }) {
    this.#keys = deps.keys;
    this.#topology = deps.topology;
    this.#scripts = deps.scripts;
    this.#report = deps.report;
  }

  probe(partition: number, witness: Witness, waitMs: number): Promise<Probe> {
    return callRedis(this.#topology, () => {
      const redis = this.#topology.commands(partition);
      return new Promise<Probe>((resolve, reject) => {
        this.#batchOf(redis, witness.epoch).push({ partition, witness, waitMs, resolve, reject });
      });
    });
  }

  /** Subscribes to the markers of a partition, so that its first probe can use them. */
  prepare(partition: number): void {
    const connection = this.#topology.subscriber(partition)?.connection;
    connection?.subscribe([this.#channel(partition, connection.id)]).catch(() => {}); // a probe tries again
  }

  #batchOf(redis: Redis, epoch: string): Waiting[] {
    const begun = this.#batches.find((batch) => batch.redis === redis && batch.epoch === epoch);
    if (begun) return begun.probes;
    if (this.#batches.length === 0) {
      setImmediate(() => {
        const batches = this.#batches;
        this.#batches = [];
        for (const batch of batches) void this.#send(batch);
      });
    }
    const batch: Batch = { redis, epoch, probes: [] };
    this.#batches.push(batch);
    return batch.probes;
  }

  async #send({ redis, probes }: Pick<Batch, 'redis' | 'probes'>): Promise<void> {
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
      // One of the partitions may have moved away, or the server may not run a script on several slots.
      const isRefused = error instanceof Error && error.name === 'ReplyError';
      if (isRefused && this.#topology.sharded && probes.length > 1) {
        this.#report.probeRefused(error.message);
        for (const probe of probes) void this.#send({ redis, probes: [probe] });
      } else for (const { reject } of probes) reject(error);
    }
  }

  /** The channel of markers: of the partition's slot on Redis Cluster, else one for all. */
  #channel(partition: number, connectionId: string): string {
    return this.#keys.markerChannel(this.#topology.sharded ? partition : 0, connectionId);
  }
}
