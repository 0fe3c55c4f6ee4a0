import calculateSlot from 'cluster-key-slot';
import { describe, expect, it } from 'vitest';
import { RedisKeys } from '../../../../services/shared/broker/redis/redis-keys.ts';
import { parseTopic } from '../../../../services/shared/update/topic.ts';

const SLOTS = 16_384;
const TOPIC = parseTopic('chat/room:7');

describe('the names of keys and channels', () => {
  it('are those of earlier releases, which may run beside this one', () => {
    const keys = new RedisKeys({ prefix: 'heliograph', partitions: 4 });
    const partition = keys.partitionOf(TOPIC);
    const tag = /\{(\w+)\}/.exec(keys.meta(partition))?.[1];
    expect([0, 1, 2, 3].map((each) => keys.meta(each))).toEqual(
      ['3', '2', '1', '0'].map((each) => `heliograph:{${each}}:meta`),
    );
    expect([
      keys.config(),
      keys.relays(),
      keys.registry(),
      keys.relaySummary(),
      keys.receiptQueries(),
      keys.response('key'),
    ]).toEqual([
      'heliograph:config',
      'heliograph:relays',
      'heliograph:registry:{heliograph:relays}',
      'heliograph:summary:{heliograph:relays}',
      'heliograph:questions:{heliograph:relays}',
      'heliograph:webhook:key',
    ]);
    const own = [keys.recent(partition), keys.register(TOPIC), keys.data(TOPIC), keys.receiptReplies(partition, 'id')];
    const names = ['recent', 'topic:chat/room:7', 'data:chat/room:7', 'receipts:id'];
    const channels = [keys.updateChannel(TOPIC), keys.floorChannel(partition), keys.receiptChannel(partition)];
    const channelNames = ['update:chat/room:7', 'floor', 'receipts', 'marker:one'];
    expect([...own, ...channels, keys.markerChannel(partition, 'one')]).toEqual(
      [...names, ...channelNames].map((name) => `heliograph:{${tag}}:${name}`),
    );
  });

  it('contain the database in channels only, unless it is 0', () => {
    const keys = new RedisKeys({ prefix: 'h', partitions: 1, database: 3 });
    const tag = /\{\w+\}/.exec(keys.meta(0))?.[0];
    expect([keys.floorChannel(0), keys.meta(0), keys.config()]).toEqual([
      `h:3:${tag}:floor`,
      `h:${tag}:meta`,
      'h:config',
    ]);
    const first = new RedisKeys({ prefix: 'h', partitions: 1, database: 0 });
    expect(first.floorChannel(0)).toBe(`h:${tag}:floor`);
  });

  it('spread the partitions evenly over the slots of a cluster, all names of one in one slot', () => {
    for (const partitions of [1, 3, 16, 100]) {
      const keys = new RedisKeys({ prefix: 'h', partitions });
      const slots = Array.from({ length: partitions }, (_, partition) => keys.slot(partition));
      expect(slots.map((slot) => Math.floor((slot * partitions) / SLOTS))).toEqual([...slots.keys()]);
      for (const name of [keys.register(TOPIC), keys.updateChannel(TOPIC), keys.data(TOPIC)]) {
        expect(calculateSlot(name)).toBe(slots[keys.partitionOf(TOPIC)]);
      }
    }
    const keys = new RedisKeys({ prefix: 'h', partitions: 1 });
    const slot = calculateSlot(keys.relays());
    expect([keys.registry(), keys.relaySummary(), keys.receiptQueries()].map((key) => calculateSlot(key))).toEqual([
      slot,
      slot,
      slot,
    ]);
  });

  it('of channels are parsed, and others are not taken for channels', () => {
    const keys = new RedisKeys({ prefix: 'h', partitions: 4, database: 1 });
    expect(keys.parseChannel(keys.updateChannel(TOPIC))).toEqual({ kind: 'update', topic: TOPIC });
    expect(keys.parseChannel(keys.receiptChannel(2))).toEqual({ kind: 'receipts' });
    for (const partition of [0, 3]) {
      expect(keys.parseChannel(keys.floorChannel(partition))).toEqual({ kind: 'floor', partition });
    }
    for (const other of [
      keys.markerChannel(1, 'one'),
      'h:1:{none}:floor',
      'h:1:floor',
      'update:chat',
      'floor',
      'xreceipts',
      '',
    ])
      expect(keys.parseChannel(other)).toBeUndefined();
  });
});
