import { describe, expect, it } from 'vitest';
import { Knowledge } from '../../../../services/loadtest/clients/received-versions.ts';
import { Latency } from '../../../../services/loadtest/measure/latency.ts';

const CLIENT = { isOld: false, isSlow: false, topics: 2 };

/** Two clients, one with the topics 0 and 1, the other with 1 and 0. */
function create(): Knowledge {
  const choice = { topics: 2, topicsPerClient: 2, spread: 'even', prefix: 't' } as const;
  return new Knowledge({ choice, clients: 2, numberOf: (client) => client });
}

const update = (topic: string, version: number, sequence?: number) => ({
  topic,
  version,
  mark: sequence === undefined ? undefined : { dueMs: 0, sequence },
});

describe('what clients know', () => {
  it('grows: what is not newer is told again, and what they do not listen to is foreign', () => {
    const known = create();
    expect(known.update(0, update('t0', 5), 1)).toBe('new');
    expect(known.update(0, update('t0', 5), 1)).toBe('repeated');
    expect(known.update(0, update('t0', 4), 1)).toBe('repeated');
    expect(known.update(0, update('t2', 9), 1)).toBe('foreign');
    expect(known.update(1, update('t0', 5), 1)).toBe('new');
  });

  it('is what they come back with, in the order of their own topics', () => {
    const known = create();
    expect(known.since(1)).toBeUndefined();
    known.update(1, update('t0', 5), 1);
    expect(known.since(1)).toEqual([0, 5]);
    known.update(1, update('t1', 7), 1);
    expect(known.since(1)).toEqual([7, 5]);
  });

  it('begins with what is current, which takes nothing away from who knows more', () => {
    const known = create();
    expect(known.knows(0, 't0')).toBe(false);
    known.current(0, 't0', 5, 1);
    expect(known.knows(0, 't0')).toBe(true);
    known.current(0, 't0', 9, 1);
    expect(known.since(0)).toEqual([5, 0]);
    known.current(0, 'other', 9, 1);
    expect(known.knows(0, 'other')).toBe(false);
  });

  it('is also how often a client was told that is not told what, since it came', () => {
    const known = create();
    expect(known.told(0)).toBeUndefined();
    known.noteTold(0, 0);
    expect(known.told(0)).toBe(0);
    known.noteTold(0, 3);
    expect(known.told(0)).toBe(3);
    known.away(0);
    expect(known.told(0)).toBeUndefined();
    expect(known.told(1)).toBeUndefined();
  });

  it('counts updates that a newer one made needless, but not those of before a client came or while it was away', () => {
    const known = create();
    known.update(0, update('t0', 1, 7), 1);
    expect(known.skipped).toBe(0);
    known.update(0, update('t0', 2, 8), 1);
    known.update(0, update('t0', 3, 12), 1);
    expect(known.skipped).toBe(3);
    known.away(0);
    known.update(0, update('t0', 4, 20), 1);
    expect(known.skipped).toBe(3);
  });
});

describe('who has the last update', () => {
  const last = { versions: [10, 20], dueMs: [1000, 2000] };
  const told = (text: string | undefined) => {
    const latency = new Latency();
    latency.add(text);
    return latency;
  };

  it('is who has the newest version of each of its topics, as late as the latest of them', () => {
    const known = create();
    known.update(0, update('t0', 10), 1700);
    known.update(0, update('t1', 20), 2300);
    known.update(1, update('t0', 10), 1100);
    known.update(1, update('t1', 19), 2100);
    const judgement = known.judge(last, 30_000, () => CLIENT);
    expect(judgement).toMatchObject({ clients: 2, behind: 1, behindSlow: 0 });
    expect(told(judgement.told).summary()).toMatchObject({ count: 1, max: expect.closeTo(700, 0) });
  });

  it('is who had it at that time, however late that is asked', () => {
    const known = create();
    for (const client of [0, 1]) known.update(client, update('t0', 10), 1100);
    known.update(0, update('t1', 20), 2900);
    known.update(1, update('t1', 20), 3100);
    expect(known.judge(last, 3000, () => CLIENT)).toMatchObject({ clients: 2, behind: 1 });
    expect(known.judge(last, 7000, () => CLIENT)).toMatchObject({ clients: 2, behind: 0 });
  });

  it('is who was told at all where clients are not told what', () => {
    const known = create();
    known.updated(0, 2500);
    known.updated(1, 1500); // since then topic 1 was due
    expect(known.judge(last, 30_000, () => ({ ...CLIENT, isOld: true }))).toMatchObject({ clients: 2, behind: 1 });
  });

  it('leaves slow readers and strangers out of the figures of the others', () => {
    const known = create();
    known.update(1, update('t0', 10), 1100);
    const judgement = known.judge(last, 30_000, (client) => (client === 0 ? { ...CLIENT, isSlow: true } : undefined));
    expect(judgement).toEqual({ clients: 1, behind: 0, behindSlow: 1, told: undefined });
  });

  it('is everybody where nothing was accepted', () => {
    expect(create().judge({ versions: [0, 0], dueMs: [0, 0] }, 30_000, () => CLIENT)).toMatchObject({
      clients: 2,
      behind: 0,
    });
  });

  it('looks at one topic only of who listens to one only', () => {
    const known = create();
    known.update(0, update('t0', 10), 1100);
    expect(known.judge(last, 30_000, (client) => (client === 0 ? { ...CLIENT, topics: 1 } : undefined)).behind).toBe(0);
  });
});
