import { describe, expect, it } from 'vitest';
import { Partition } from '../../../../services/relay/hub/partition.ts';
import { Registers } from '../../../../services/relay/hub/registers.ts';
import type { Digest } from '../../../../services/shared/broker/broker.ts';
import type { JsonText } from '../../../../services/shared/update/json-text.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import type { Update } from '../../../../services/shared/update/update.ts';

const chat = 'chat' as Topic;
const SPREAD_MS = 10;

/** A relay's registers of one partition, which learns from digests. */
function createRegisters(maxDataBytes = Number.POSITIVE_INFINITY) {
  let dropped = 0;
  const partition = new Partition();
  const registers = new Registers({
    partitionOf: () => 0,
    currentVersion: (_, stored) => partition.currentVersion(stored),
    floorOf: () => partition.floor,
    maxDataBytes,
    dataDropped: () => {
      dropped += 1;
    },
  });
  const digest = (numbers: Pick<Digest, 'floor' | 'base'>) =>
    partition.learn(
      {
        epoch: 'h',
        raiseId: 'r',
        isFirstFloor: true,
        last: 1000,
        retainedSince: 10,
        completeAfter: 0,
        ...numbers,
      },
      0,
    );
  return { registers, digest, dropped: () => dropped };
}

describe('the version of a topic', () => {
  it('is the same whether a relay learned the floor by a signal, by a digest, or at its start', () => {
    const [told, started] = [createRegisters(), createRegisters()];
    for (const { registers, digest } of [told, started]) {
      digest({ floor: 100, base: 50 });
      registers.load(chat, undefined, 0);
    }
    told.digest({ floor: 200, base: 50 });
    expect(told.registers.raise(chat, SPREAD_MS)?.update).toEqual({ topic: chat, version: 200, spread: SPREAD_MS });
    started.digest({ floor: 200, base: 300 });
    told.digest({ floor: 200, base: 300 });
    expect(told.registers.current(chat)).toEqual({ topic: chat, version: 300 });
    expect(started.registers.current(chat)).toEqual(told.registers.current(chat));
  });

  it('is the same below a raised floor, whether an update was read before or after the raise, or was lost in it', () => {
    const [before, after, lost] = [createRegisters(), createRegisters(), createRegisters()];
    before.digest({ floor: 100, base: 50 });
    before.registers.load(chat, { topic: chat, version: 150 }, 0);
    before.digest({ floor: 200, base: 300 });
    before.registers.raise(chat, SPREAD_MS);
    after.digest({ floor: 200, base: 300 });
    after.registers.load(chat, { topic: chat, version: 150 }, 0);
    lost.digest({ floor: 200, base: 300 });
    lost.registers.load(chat, undefined, 0);
    for (const { registers } of [before, after, lost]) expect(registers.current(chat).version).toBe(300);
  });

  it('is not that of an update below the floor, read late: clients were notified of the floor when they subscribed', () => {
    const { registers, digest } = createRegisters();
    digest({ floor: 200, base: 50 });
    registers.load(chat, { topic: chat, version: 150 }, 0);
    expect(registers.merge({ topic: chat, version: 180, data: '1' as JsonText })).toBeUndefined();
    expect([registers.current(chat), registers.get(chat)?.stored]).toEqual([{ topic: chat, version: 200 }, 180]);
    expect(registers.merge({ topic: chat, version: 201 })?.update).toEqual({ topic: chat, version: 201 });
  });

  it('lifts a register once, and no register that is above the floor', () => {
    const { registers, digest } = createRegisters();
    digest({ floor: 100, base: 50 });
    registers.load(chat, { topic: chat, version: 150, data: '1' as JsonText }, 0);
    expect(registers.raise(chat, SPREAD_MS)).toBeUndefined();
    registers.expire(chat);
    digest({ floor: 100, base: 400 });
    expect(registers.raise(chat, SPREAD_MS)?.update.version).toBe(400);
    expect(registers.raise(chat, SPREAD_MS)).toBeUndefined();
  });
});

describe('a register', () => {
  it('has version 0 before anything is known of its topic, and is not created by what concerns only known ones', () => {
    const { registers } = createRegisters();
    expect(registers.current(chat)).toEqual({ topic: chat, version: 0 });
    registers.forget(chat);
    registers.expire(chat);
    expect([registers.raise(chat, SPREAD_MS), registers.get(chat), registers.dataBytes]).toEqual([
      undefined,
      undefined,
      0,
    ]);
  });

  it('is listed since it was missing when it was read, the first time or again', () => {
    const { registers, digest } = createRegisters();
    registers.load(chat, { topic: chat, version: 5 }, 10);
    digest({ floor: 1, base: 5 });
    expect([registers.emptySince(0, 0), registers.emptySince(0, Number.NEGATIVE_INFINITY)]).toEqual([[], []]);
    registers.foundEmpty(chat, 20);
    registers.load('other' as Topic, undefined, 30);
    digest({ floor: 1, base: 6 });
    expect([registers.emptySince(0, 20), registers.emptySince(0, 21), registers.emptySince(1, 0)]).toEqual([
      [chat, 'other'],
      ['other'],
      [],
    ]);
  });

  it('is not listed if the base has not moved since: clients know it as the version', () => {
    const { registers, digest } = createRegisters();
    digest({ floor: 1, base: 5 });
    registers.load(chat, undefined, 10);
    expect(registers.emptySince(0, 0)).toEqual([]);
    digest({ floor: 1, base: 6 });
    expect(registers.emptySince(0, 0)).toEqual([chat]);
    registers.expire(chat);
    expect(registers.emptySince(0, 0)).toEqual([]);
  });

  it('is not listed if it has an update since, or an earlier one above the base', () => {
    const { registers, digest } = createRegisters();
    digest({ floor: 1, base: 5 });
    registers.load(chat, undefined, 10);
    registers.merge({ topic: chat, version: 6 });
    digest({ floor: 1, base: 7 });
    expect(registers.emptySince(0, 0)).toEqual([]);
    registers.merge({ topic: chat, version: 9 });
    registers.foundEmpty(chat, 20);
    expect(registers.emptySince(0, 0)).toEqual([]);
    digest({ floor: 1, base: 10 });
    registers.merge({ topic: chat, version: 9 });
    expect(registers.emptySince(0, 0)).toEqual([chat]);
  });

  it('keeps the newest update, whichever source brought it first', () => {
    const { registers } = createRegisters();
    const [older, newer] = [1, 2].map((version) => ({ topic: chat, version, data: `${version}` as JsonText }));
    expect(registers.merge(newer as Update)?.update).toEqual(newer);
    expect(registers.merge(older as Update)).toBeUndefined();
    registers.load(chat, older, 0);
    expect([registers.current(chat), registers.get(chat)?.stored]).toEqual([newer, 2]);
    registers.load(chat, { topic: chat, version: 3 }, 0);
    expect([registers.current(chat).version, registers.get(chat)?.stored]).toEqual([3, 3]);
  });

  it('is listed with its partition once it is loaded', () => {
    const partitions = ['a', 'b'];
    const registers = new Registers({
      partitionOf: (topic) => partitions.indexOf(topic.charAt(0)),
      floorOf: () => 0,
      currentVersion: (_, stored) => stored,
      maxDataBytes: 0,
      dataDropped() {},
    });
    const [a1, a2, b1] = ['a1', 'a2', 'b1'] as [Topic, Topic, Topic];
    registers.merge({ topic: a1, version: 1 });
    registers.load(a2, { topic: a2, version: 2 }, 0);
    registers.load(b1, undefined, 0);
    expect([registers.loaded(a1), registers.loaded(a2)?.update.version]).toEqual([undefined, 2]);
    expect([0, 1].map((partition) => [...registers.loadedIn(partition)])).toEqual([[[a2, 2]], [[b1, 0]]]);
  });
});

describe('the data of registers', () => {
  const news = 'news' as Topic;
  const data = (length: number) => `"${'x'.repeat(length - 2)}"` as JsonText;

  it('is dropped beyond the limit of all together, and the update is kept', () => {
    const { registers, dropped } = createRegisters(100);
    expect(registers.merge({ topic: chat, version: 1, data: data(60) })?.update.data).toBe(data(60));
    expect(registers.merge({ topic: news, version: 2, data: data(60), spread: 5 })?.update).toEqual({
      topic: news,
      version: 2,
      spread: 5,
    });
    expect([registers.dataBytes, dropped()]).toEqual([60, 1]);
    // What a newer update replaces does not count.
    expect(registers.merge({ topic: chat, version: 3, data: data(100) })?.update.data).toBe(data(100));
    expect(registers.merge({ topic: chat, version: 4 })).toBeDefined();
    expect(registers.merge({ topic: news, version: 5, data: data(100) })?.update.data).toBe(data(100));
    registers.forget(news);
    expect([registers.dataBytes, dropped()]).toEqual([0, 1]);
  });

  it('counts two bytes for each character unless all are ASCII', () => {
    const { registers } = createRegisters();
    registers.load(chat, { topic: chat, version: 1, data: '"\u{1f44b}"' as JsonText }, 0);
    expect(registers.dataBytes).toBe(8);
  });
});
