import type { Redis } from 'ioredis';
import type { Address } from '../../config/redis-config.ts';

/** The masters of a Redis Cluster and the slots that they hold. */
export interface SlotMap {
  readonly masters: readonly Address[];
  /** Returns the master that holds a slot; undefined if it is not assigned. */
  ownerOf(slot: number): Address | undefined;
}

/**
 * Fetches the slot map from a node. Rejects if the node reports that the cluster is down: its map may be that of a
 * minority.
 */
export async function fetchSlotMap(redis: Redis, node: Address): Promise<SlotMap> {
  const info = String(await redis.cluster('INFO'));
  if (!info.includes('cluster_state:ok')) throw new Error(`${formatAddress(node)} reports that the cluster is down`);
  const ranges = parseSlots(await redis.cluster('SLOTS'), node);
  return {
    masters: ranges.map(({ master }) => master),
    ownerOf: (slot) => ranges.find(({ first, last }) => first <= slot && slot <= last)?.master,
  };
}

/** Formats an address as `host:port`. */
export function formatAddress({ host, port }: Address): string {
  return `${host}:${port}`;
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: Address;
}

/** Parses the reply to CLUSTER SLOTS: rows of first slot, last slot, master, replicas. */
function parseSlots(reply: unknown, node: Address): SlotRange[] {
  if (!Array.isArray(reply)) throw new Error('CLUSTER SLOTS returned no list');
  return reply.map((row: [number, number, [string | null, number]]) => {
    const [first, last, [host, port]] = row;
    // No host means the node that replied: it does not know its own address.
    return { first: Number(first), last: Number(last), master: { host: host || node.host, port: Number(port) } };
  });
}
