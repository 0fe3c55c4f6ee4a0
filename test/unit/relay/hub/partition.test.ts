import { beforeEach, describe, expect, it } from 'vitest';
import { Partition } from '../../../../services/relay/hub/partition.ts';
import { RETENTION_US } from '../../../../services/shared/broker/retention.ts';

const AHEAD_MS = 1_790_000_000_000;

let partition: Partition;
beforeEach(() => {
  partition = new Partition();
});

/** Returns the reply to a digest that was requested at `requestedAtMs`, and reached the broker at `arrivedAtMs`. */
function learn(requestedAtMs: number, arrivedAtMs: number, { epoch = 'e1', aheadMs = AHEAD_MS } = {}): void {
  const retainedSince = (arrivedAtMs + aheadMs) * 1000 - RETENTION_US;
  const rest = { raiseId: 'r', isFirstFloor: true, last: 1, floor: 0, base: 0, completeAfter: 0 };
  partition.learn({ epoch, retainedSince, ...rest }, requestedAtMs);
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
