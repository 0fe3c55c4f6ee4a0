import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { fetchSlotMap } from '../../../../services/shared/broker/redis/redis-slot-map.ts';

const NODE = { host: '10.0.0.1', port: 7001 };

/** A connection to a node that replies so to `CLUSTER INFO` and `CLUSTER SLOTS`. */
function nodeWith(replies: { readonly info: string; readonly slots: unknown }): Redis {
  const cluster = async (command: string) => (command === 'INFO' ? replies.info : replies.slots);
  return { cluster } as unknown as Redis;
}

describe('the slot map of a Redis Cluster', () => {
  const slots = [
    [0, 99, ['10.0.0.2', 7002, 'id', []], ['10.0.0.9', 7009, 'replica', []]],
    [100, 199, [null, 7001, 'id', []]],
    [200, 299, ['', 7001, 'id', []]],
  ];

  it('names the master of each slot, and none of a slot that is not assigned', async () => {
    const { masters, ownerOf } = await fetchSlotMap(nodeWith({ info: 'cluster_state:ok', slots }), NODE);
    const other = { host: '10.0.0.2', port: 7002 };
    expect(masters).toEqual([other, NODE, NODE]);
    expect([0, 99, 100, 199, 200, 299].map(ownerOf)).toEqual([other, other, NODE, NODE, NODE, NODE]);
    expect(ownerOf(300)).toBeUndefined();
  });

  it('is not taken from a node that reports that the cluster is down, nor from a reply in another form', async () => {
    await expect(fetchSlotMap(nodeWith({ info: 'cluster_state:fail', slots }), NODE)).rejects.toThrow(
      '10.0.0.1:7001 reports that the cluster is down',
    );
    await expect(fetchSlotMap(nodeWith({ info: 'cluster_state:ok', slots: 'OK' }), NODE)).rejects.toThrow('no list');
  });
});
