import { describe, expect, it } from 'vitest';
import { CurrentTimes, currentWithin } from '../../../../services/loadtest/measure/current-times.ts';

/** Returns the times of a process with clients of one relay that were current after these times, for each update. */
function timesOf(
  updates: readonly (readonly number[])[],
  missing: ReadonlyMap<number, number[]> = new Map(),
  relay = 0,
) {
  const times = new CurrentTimes();
  for (const [update, all] of updates.entries()) for (const ms of all) times.record(update, relay, ms);
  return times.times(updates.length, missing);
}

const summarize = (times: ReturnType<typeof timesOf>, assignedAfterMs = (_: number): number | undefined => 0) =>
  currentWithin({ times, assignedAfterMs, relaysMeanMs: (share) => (share === 1 ? 7 : undefined) });

describe('the times until subscribers are current', () => {
  it('are those of each share of the clients of all processes', () => {
    const fast = Array(98).fill(10);
    const [half, most, nearlyAll, all] = summarize([...timesOf([fast]), ...timesOf([[100, 1000]])]);
    expect(half).toMatchObject({ share: 0.5, updates: 1, never: 0, meanMs: expect.closeTo(10, 0) });
    expect(most?.meanMs).toBeCloseTo(10, 0);
    expect(Math.abs((nearlyAll?.meanMs ?? 0) - 100)).toBeLessThan(1);
    expect(Math.abs((all?.meanMs ?? 0) - 1000)).toBeLessThan(10);
    expect(all?.relaysMeanMs).toBe(7);
  });

  it('begin with the version, and leave out updates that were not accepted', () => {
    const [half] = summarize(timesOf([[50], [60], [70]]), (update) => [40, undefined, 100][update]);
    expect(half).toMatchObject({ updates: 2, max: expect.closeTo(10, 0) });
    expect(half?.meanMs).toBeCloseTo(5, 0);
  });

  it('have no end for a share that was never reached', () => {
    const [half, , , all] = summarize(
      timesOf(
        [
          [10, 10],
          [10, 10, 10],
        ],
        new Map([[0, [1]]]),
      ),
    );
    expect(half).toMatchObject({ updates: 2, never: 0 });
    expect(all).toMatchObject({ updates: 2, never: 1, meanMs: expect.closeTo(10, 0) });
  });

  it('are also those of each relay with its own clients, as relays measure it', () => {
    const [fast, slow] = [timesOf([Array(60).fill(10)], new Map(), 0), timesOf([Array(40).fill(100)], new Map(), 1)];
    const [half, , , all] = summarize([...fast, ...slow]);
    expect(Math.abs((half?.meanMs ?? 0) - 10)).toBeLessThan(0.1);
    expect(Math.abs((all?.meanMs ?? 0) - 100)).toBeLessThan(1);
    for (const share of [half, all]) expect(Math.abs((share?.perRelayMeanMs ?? 0) - 55)).toBeLessThan(1);
  });

  it('count the clients of a relay that lack an update, also if none of them has it', () => {
    const [half] = summarize([...timesOf([[10, 10, 10]]), ...timesOf([[]], new Map([[0, [0, 2]]]), 1)]);
    expect(half).toMatchObject({ updates: 1, never: 0 });
    expect(half?.perRelayMeanMs).toBeCloseTo(10, 0);
    const [, , , all] = summarize([...timesOf([[10, 10, 10]]), ...timesOf([[]], new Map([[0, [0, 2]]]), 1)]);
    expect(all).toMatchObject({ updates: 1, never: 1 });
  });

  it('are missing without updates', () => {
    expect(summarize([])).toEqual([]);
  });
});
