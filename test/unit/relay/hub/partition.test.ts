import { beforeEach, describe, expect, it } from 'vitest';
import { Partition } from '../../../../services/relay/hub/partition.ts';
import type { PartitionState } from '../../../../services/shared/broker/broker.ts';
import { RETENTION_US } from '../../../../services/shared/broker/retention.ts';

const AHEAD_MS = 1_790_000_000_000;

let partition: Partition;
beforeEach(() => {
  partition = new Partition();
});

/** Returns the reply to a digest that reached the broker at `arrivedAtMs`. */
function reply(arrivedAtMs: number, { epoch = 'e1', aheadMs = AHEAD_MS } = {}): PartitionState {
  const retainedSince = (arrivedAtMs + aheadMs) * 1000 - RETENTION_US;
  return { epoch, retainedSince, raiseId: 'r', isFirstFloor: true, last: 1, floor: 0, base: 0, completeAfter: 0 };
}

/** Learns from a digest that was requested at `requestedAtMs`, and reached the broker at `arrivedAtMs`. */
function learn(requestedAtMs: number, arrivedAtMs: number, options: Parameters<typeof reply>[1] = {}): void {
  partition.learn(reply(arrivedAtMs, options), requestedAtMs);
}

describe('the time of a version', () => {
  it('is not known before a digest', () => {
    expect(partition.monotonicAt(1)).toBeUndefined();
  });

  it('is that of the digest that reached the broker fastest', () => {
    learn(100, 190);
    learn(3100, 3101);
    learn(6100, 6150);
    expect(partition.monotonicAt((5000 + AHEAD_MS) * 1000)).toBeCloseTo(5000 - 1, 3);
    expect(partition.brokerTimeAt(5000) / 1000 - AHEAD_MS).toBeCloseTo(5001, 3);
  });

  it('follows a clock that is set back at once, and one that is set forward after some digests', () => {
    learn(0, 1);
    learn(3000, 3001, { aheadMs: AHEAD_MS - 60_000 });
    expect(partition.monotonicAt((3000 + AHEAD_MS - 60_000) * 1000)).toBeCloseTo(2999, 3);
    for (let atMs = 6000; atMs < 30_000; atMs += 3000) learn(atMs, atMs + 1);
    expect(partition.monotonicAt((30_000 + AHEAD_MS) * 1000)).toBeCloseTo(29_999, 3);
  });

  it('is by the clock of another server after a failover', () => {
    learn(0, 1);
    learn(3000, 3001, { epoch: 'e2', aheadMs: AHEAD_MS + 60_000 });
    expect(partition.monotonicAt((3000 + AHEAD_MS + 60_000) * 1000)).toBeCloseTo(2999, 3);
  });
});

describe('the clock of the broker', () => {
  const isStep = (minutes: number) =>
    partition.isClockStep(reply(3000, { aheadMs: AHEAD_MS + minutes * 60_000 }), 3000);

  it('was stepped if it is ahead by more than an hour of what it was', () => {
    learn(0, 0);
    expect([isStep(-61), isStep(59), isStep(61)]).toEqual([false, false, true]);
  });

  it('was not stepped at the first digest, also if a floor was signalled before', () => {
    partition.raiseFloor(AHEAD_MS * 1000);
    expect(isStep(61)).toBe(false);
  });
});

describe('the state of a partition', () => {
  const state = (changes: Partial<PartitionState> = {}): PartitionState => ({
    epoch: 'e1',
    raiseId: 'r1',
    isFirstFloor: true,
    last: 100,
    floor: 50,
    base: 60,
    retainedSince: 40,
    completeAfter: 30,
    ...changes,
  });

  it('is the newest that was seen, and the witness of it: floor, base and versions never decrease', () => {
    expect(partition.witness).toEqual({ epoch: '', version: 0 });
    partition.learn(state(), 0);
    expect([partition.floor, partition.raised, partition.completeAfter]).toEqual([50, 0, 30]);
    partition.saw(99);
    partition.saw(101);
    expect(partition.witness).toEqual({ epoch: 'e1', version: 101, raiseId: 'r1' });
    partition.learn(state({ epoch: 'e2', last: 10, floor: 5, base: 6, retainedSince: 4, completeAfter: 3 }), 0);
    expect(partition.witness).toEqual({ epoch: 'e2', version: 101, raiseId: 'r1' });
    expect([partition.floor, partition.currentVersion(0), partition.completeAfter]).toEqual([50, 60, 3]);
    // One that is not retained any more counts as none.
    expect([40, 50, 51, 59, 61].map((stored) => partition.currentVersion(stored))).toEqual([60, 60, 51, 59, 61]);
    const other = new Partition();
    other.learn(state({ floor: 10 }), 0);
    expect([11, 40, 41].map((stored) => other.currentVersion(stored))).toEqual([60, 60, 41]);
  });

  it('knows when its floor was raised, unless that is its first one', () => {
    partition.learn(state(), 0);
    expect(partition.raiseFloor(50)).toBe(false);
    expect([partition.raiseFloor(70), partition.floor, partition.raised]).toEqual([true, 70, 70]);
    partition.learn(state({ floor: 70, raiseId: 'r2', isFirstFloor: false }), 0);
    expect([partition.raised, partition.witness.raiseId]).toEqual([70, 'r2']);
    partition.raiseFloor(80);
    partition.learn(state({ floor: 70, raiseId: 'r2' }), 0); // requested before
    expect(partition.raised).toBe(80);
    const other = new Partition();
    other.learn(state({ isFirstFloor: false }), 0);
    expect(other.raised).toBe(50);
  });

  it('acknowledges a raise by signal only if that is above everything seen', () => {
    partition.learn(state(), 0);
    partition.raiseFloor(100, 'equal');
    expect(partition.witness).toEqual({ epoch: 'e1', version: 100, raiseId: 'r1' });
    expect(partition.acknowledgedFloor).toBe(50);
    partition.raiseFloor(101, 'above');
    expect(partition.witness).toEqual({ epoch: 'e1', version: 101, raiseId: 'above' });
    partition.raiseFloor(102);
    expect(partition.witness).toEqual({ epoch: 'e1', version: 102, raiseId: 'above' });
    expect(partition.acknowledgedFloor).toBe(101);
    partition.learn(state({ floor: 101, raiseId: 'above' }), 0); // requested before the last raise
    expect(partition.acknowledgedFloor).toBe(101);
    partition.learn(state({ floor: 110, raiseId: 'r3' }), 0);
    expect([partition.floor, partition.acknowledgedFloor]).toEqual([110, 110]);
  });

  it('is continued by one of the same epoch and raise that has lost nothing behind the cursor', () => {
    partition.learn(state(), 0);
    partition.moveCursor(100);
    expect(partition.cursor).toBe(100);
    expect([state(), state({ last: 101 })].map((each) => partition.isContinuedBy(each))).toEqual([true, true]);
    const others = [state({ epoch: 'e2' }), state({ raiseId: 'r2' }), state({ last: 99 })];
    expect(others.map((each) => partition.isContinuedBy(each))).toEqual([false, false, false]);
  });

  it('is listed once changes were listed that were requested after its watches were last lost', () => {
    expect(partition.isListed).toBe(false);
    partition.listed(partition.losses);
    expect(partition.isListed).toBe(true);
    const before = partition.losses;
    partition.unsignalled.set('chat' as never, { version: 1, atMs: 0 });
    partition.lose();
    expect([partition.isListed, partition.unsignalled.size]).toEqual([false, 0]);
    partition.listed(before);
    expect(partition.isListed).toBe(false);
    partition.listed(partition.losses);
    expect(partition.isListed).toBe(true);
    const other = new Partition();
    other.lose();
    expect(other.isListed).toBe(false);
  });
});
