import type { Redis } from 'ioredis';
import type { Address } from '../../config/redis-config.ts';

/** Which masters there are, and which slots they hold. */
export interface SlotMap {
  readonly masters: readonly Address[];
  /** The master that holds a slot; undefined where nobody does. */
  ownerOf(slot: number): Address | undefined;
}

/**
 * Asks a node which masters hold which slots. Rejects where the node is not in good order: its picture may be
 * that of a minority.
 */
export async function askSlotMap(redis: Redis, asked: Address): Promise<SlotMap> {
  const info = String(await redis.cluster('INFO'));
  if (!info.includes('cluster_state:ok'))
    throw new Error(`${formatAddress(asked)} says that the cluster is not in order`);
  const ranges = parseSlots(await redis.cluster('SLOTS'), asked);
  return {
    masters: ranges.map(({ master }) => master),
    ownerOf: (slot) => ranges.find(({ first, last }) => first <= slot && slot <= last)?.master,
  };
}

/** Names a node, by `host:port`. */
export function formatAddress({ host, port }: Address): string {
  return `${host}:${port}`;
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: Address;
}

/** Reads the answer to CLUSTER SLOTS: rows of first slot, last slot, master, replicas. */
function parseSlots(answer: unknown, asked: Address): SlotRange[] {
  if (!Array.isArray(answer)) throw new Error('CLUSTER SLOTS gave no list');
  return answer.map((row: [number, number, [string | null, number]]) => {
    const [first, last, [host, port]] = row;
    // A node that does not know its own name means: the one that you asked.
    return { first: Number(first), last: Number(last), master: { host: host || asked.host, port: Number(port) } };
  });
}
