import { describe, expect, it } from 'vitest';
import { FRESH_INTERVALS, Repair } from '../../../../services/relay/hub/repair.ts';
import type { Digest, SignalProof, Witness } from '../../../../services/shared/broker/broker.ts';
import { AppError } from '../../../../services/shared/errors.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import type { Update } from '../../../../services/shared/update/update.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const INTERVAL_MS = 3000;
const chat = 'chat' as Topic;
const DIGEST: Digest = {
  epoch: 'h',
  floor: 1,
  raiseId: 'r',
  isFirstFloor: true,
  last: 1,
  base: 0,
  retainedSince: 0,
  completeAfter: 0,
  changed: [],
  hasMore: false,
};

/** Repair with a clock that can be set, and a broker that can fail. */
function createRepair({ random = 0.5, partitions = 1 } = {}) {
  const time = new VirtualTime();
  const day = { offsetMs: 0 };
  const stood = { stillMs: 0 };
  const broker: {
    isLost: boolean;
    lostPartition: number | undefined;
    signals: SignalProof;
    digest: Digest;
    recent: number | 'refused' | undefined;
    register: Update | undefined;
    reading(): void;
    beforeReply(): void;
    replyAfterMs: number;
  } = {
    isLost: false,
    lostPartition: undefined,
    signals: 'unproven',
    digest: DIGEST,
    recent: undefined,
    register: undefined,
    reading() {},
    beforeReply() {},
    replyAfterMs: 0,
  };
  const timers = { count: 0 };
  const reports: unknown[] = [];
  const requests: unknown[] = [];
  const calls: string[] = [];
  const witnesses: Witness[] = [];
  /** Calls of the broker before each call of `probing`. */
  const probings: number[] = [];
  const heard: unknown[] = [];
  const freshness: boolean[] = [];
  const raises: string[] = [];
  const named: unknown[] = [];
  const chatIs: {
    version: number | undefined;
    emptyUpTo?: number;
    unprovenSinceMs?: number | undefined;
    relapsed?: boolean;
    emptyAtMs?: number;
  } = { version: 5 };
  const causes: unknown[] = [];
  const clock = {
    ...time.clock(() => random),
    after: (delayMs: number, callback: () => void) => {
      timers.count += 1;
      return time.after(delayMs, callback);
    },
    nowMs: () => time.nowMs + day.offsetMs,
    monotonicMs: () => time.nowMs + stood.stillMs,
  };
  const reply = () =>
    broker.replyAfterMs > 0 ? new Promise<void>((resolve) => time.after(broker.replyAfterMs, resolve)) : undefined;
  const repair = new Repair({
    clock,
    intervalMs: INTERVAL_MS,
    feed: {
      partitions,
      partitionOf: () => 0,
      probe: async (_partition, witness, waitMs) => {
        calls.push('probe');
        witnesses.push(witness);
        requests.push(['probe', waitMs]);
        await reply();
        broker.beforeReply();
        if (broker.isLost) throw new AppError('broker_unavailable');
        return { ...broker.digest, signals: broker.signals };
      },
      recentVersions: async (topics) => {
        calls.push('audit');
        const { recent } = broker;
        if (recent === 'refused') throw new AppError('broker_unavailable');
        return topics.map((topic) => (topic === chat ? recent : undefined));
      },
      digest: async (partition, witness, cursor) => {
        calls.push('list');
        witnesses.push(witness);
        requests.push(['list', cursor]);
        await reply();
        broker.beforeReply();
        if (broker.isLost || broker.lostPartition === partition) throw new AppError('broker_unavailable');
        return broker.digest;
      },
      read: async (topics) => {
        broker.reading();
        return topics.map((topic) => (topic === chat ? broker.register : undefined));
      },
      resetSubscription: () => void calls.push('reset'),
    },
    handler: {
      watchedIn: () => (chatIs.version === undefined ? [] : [[chat, 5]]),
      versionOf: (topic) => (topic === chat ? chatIs.version : undefined),
      emptyUpTo: () => chatIs.emptyUpTo ?? 0,
      unprovenSinceMs: () => chatIs.unprovenSinceMs,
      hasRelapsed: () => chatIs.relapsed === true,
      emptySince: (_, sinceMs) => ((chatIs.emptyAtMs ?? -Infinity) >= sinceMs ? [chat] : []),
      changed: (partition, topics) => void named.push([partition, topics]),
      repaired: (updates) => void heard.push(...updates),
      expired: (topics) => void heard.push(topics),
      floorRaised: (partition) => void raises.push(`told ${partition}`),
      freshnessChanged: (fresh) => void freshness.push(fresh),
      probing: () => void probings.push(calls.length),
    },
    report: {
      roundBegun: (cause) => void reports.push(['round', cause, time.nowMs]),
      digested: (seconds) => void reports.push(['digested', seconds]),
      digestFailed: () => void reports.push(['failed']),
      probed: (proof) => void reports.push(['probed', proof]),
      updatesRepaired: (count) => void reports.push(['repaired', count]),
      floorRaised: () => void raises.push('counted'),
      deafSubscriptionReplaced: () => void reports.push(['deaf']),
      freshness: (_fresh, cause) => void causes.push(cause),
    },
  });
  const seen = { freshness, probings, heard, raises, named, causes, calls, witnesses, reports, requests };
  return { time, day, stood, timers, broker, chatIs, repair, ...seen };
}

describe('repair', () => {
  it('does not treat the first floor as a raise', async () => {
    const { time, broker, raises, repair } = createRepair();
    const digested = createRepair();
    digested.repair.start();
    await digested.time.runFor(1);
    digested.repair.stop();
    expect(digested.raises).toEqual([]);
    repair.raiseFloor(0, 1, 'r');
    repair.start();
    await time.runFor(1);
    expect(raises).toEqual([]);
    repair.raiseFloor(0, 5, 's');
    expect(raises).toEqual(['counted', 'told 0']);
    broker.digest = { ...DIGEST, floor: 9, last: 9 };
    await time.runFor(2 * INTERVAL_MS);
    expect(raises).toEqual(['counted', 'told 0', 'counted', 'told 0']);
  });

  it('says when all partitions are being probed, so that other calls can go with the probes', async () => {
    const { time, broker, calls, probings, repair } = createRepair({ partitions: 3 });
    broker.signals = 'complete';
    broker.replyAfterMs = 1;
    repair.start();
    await time.runFor(INTERVAL_MS - 1);
    calls.length = 0;
    await time.runFor(2 * INTERVAL_MS);
    repair.stop();
    expect(calls).toEqual(new Array(6).fill('probe'));
    expect(probings.slice(1)).toEqual([3, 6]);
  });

  it.each([
    ['after the last probe, and the clock was stepped by more than an hour', INTERVAL_MS + 1, 61, [[chat]]],
    ['before the last probe', INTERVAL_MS - 1, 61, []],
    ['after the last probe, and the clock was stepped by less', INTERVAL_MS + 1, 59, []],
  ])('treats a register as expired too early if it was missing %s', async (_, emptyAtMs, minutes, expected) => {
    const { time, broker, chatIs, heard, repair } = createRepair();
    broker.signals = 'complete';
    const startedAtMs = time.nowMs;
    repair.start();
    await time.runFor(1.5 * INTERVAL_MS);
    chatIs.emptyAtMs = startedAtMs + emptyAtMs;
    heard.length = 0;
    const elapsedUs = 2 * INTERVAL_MS * 1000;
    broker.digest = { ...DIGEST, retainedSince: DIGEST.retainedSince + elapsedUs + minutes * 60_000_000 };
    await time.runFor(INTERVAL_MS);
    repair.stop();
    expect(heard).toEqual(expected);
  });

  it('delivers an update whose register is gone when it is read', async () => {
    const { time, broker, heard, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    heard.length = 0;
    broker.digest = { ...DIGEST, last: 9, changed: [{ topic: chat, version: 9 }] };
    await time.runFor(2 * INTERVAL_MS);
    expect(heard[0]).toEqual({ topic: chat, version: 9 });
    repair.stop();
  });

  it('delivers an update with its content if its register has the version of the digest', async () => {
    const { time, broker, heard, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    broker.digest = { ...DIGEST, last: 9, changed: [{ topic: chat, version: 9 }] };
    broker.register = { topic: chat, version: 9, spread: 5 };
    await time.runFor(1.5 * INTERVAL_MS);
    expect(heard).toEqual([{ topic: chat, version: 9, spread: 5 }]);
    repair.stop();
  });

  it('delivers an update whose register is older when it is read, as on a server that was promoted without it', async () => {
    const { time, broker, heard, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    heard.length = 0;
    broker.digest = { ...DIGEST, last: 9, changed: [{ topic: chat, version: 9 }] };
    broker.register = { topic: chat, version: 5 };
    await time.runFor(2 * INTERVAL_MS);
    expect(heard[0]).toEqual({ topic: chat, version: 9 });
    repair.stop();
  });

  it('keeps the name of a raise whose signal overtook an earlier digest, so that the broker does not raise again', async () => {
    const { time, broker, witnesses, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    broker.beforeReply = () => repair.raiseFloor(0, 5, 's');
    await time.runFor(2 * INTERVAL_MS);
    expect(witnesses.map(({ raiseId }) => raiseId).slice(-1)).toEqual(['s']);
    repair.stop();
  });

  it('treats a missing register as expired after an incomplete digest, if the base has risen', async () => {
    const { time, broker, heard, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    heard.length = 0;
    broker.digest = { ...DIGEST, base: 70, last: 90, completeAfter: 80 };
    await time.runFor(1.5 * INTERVAL_MS);
    expect(heard).toEqual([[chat]]);
    broker.digest = { ...DIGEST, base: 70, last: 190, completeAfter: 180 };
    await time.runFor(INTERVAL_MS);
    expect(heard).toEqual([[chat]]);
    repair.stop();
  });
});

describe('after an incomplete digest', () => {
  const incomplete = { ...DIGEST, base: 70, last: 90, completeAfter: 80 };

  it('only newer registers are updates, and they do not show that signals are missing', async () => {
    const { time, broker, heard, calls, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    broker.digest = incomplete;
    broker.register = { topic: chat, version: 5 };
    await time.runFor(1.5 * INTERVAL_MS);
    expect(heard.flat()).toEqual([]);
    broker.digest = { ...incomplete, last: 190, completeAfter: 180 };
    broker.register = { topic: chat, version: 6 };
    await time.runFor(INTERVAL_MS);
    expect(heard.flat()).toEqual([{ topic: chat, version: 6 }]);
    await time.runFor(2 * INTERVAL_MS);
    expect(calls).not.toContain('reset');
    repair.stop();
  });

  it('nothing has expired on a relay without topics', async () => {
    const { time, broker, heard, chatIs, repair } = createRepair();
    chatIs.version = undefined;
    repair.start();
    await time.runFor(1);
    broker.digest = incomplete;
    await time.runFor(1.5 * INTERVAL_MS);
    expect(heard.flat()).toEqual([]);
    repair.stop();
  });
});

describe('a register that is gone', () => {
  it('is not expired if an update was signalled while it was read', async () => {
    const { time, broker, heard, chatIs, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    heard.length = 0;
    broker.digest = { ...DIGEST, base: 70, last: 90, completeAfter: 80 };
    broker.reading = () => {
      chatIs.version = 91;
    };
    await time.runFor(1.5 * INTERVAL_MS);
    expect(heard).toEqual([[]]);
    repair.stop();
  });
});

describe('a digest', () => {
  it('discards pending reads of topics that it names, or of all topics if it is incomplete', async () => {
    const { time, broker, named, repair } = createRepair();
    const news = 'news' as Topic;
    broker.digest = { ...DIGEST, last: 9, completeAfter: 0, changed: [{ topic: news, version: 9 }] };
    repair.start();
    await time.runFor(1);
    expect(named).toEqual([[0, ['news']]]);
    broker.digest = { ...DIGEST, last: 99, completeAfter: 90 };
    await time.runFor(1.5 * INTERVAL_MS);
    await time.runFor(INTERVAL_MS);
    expect(named).toEqual([
      [0, ['news']],
      [0, 'all'],
      [0, []],
    ]);
    repair.stop();
  });
});

describe('freshness', () => {
  it('ends three intervals after the last digest, also if the clock was set back', async () => {
    const { time, day, broker, freshness, causes, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    expect(freshness).toEqual([true]);
    broker.isLost = true;
    day.offsetMs = -3_600_000;
    await time.runFor(FRESH_INTERVALS * INTERVAL_MS);
    expect([freshness, causes]).toEqual([
      [true, false],
      [undefined, 'digest'],
    ]);
    repair.stop();
  });

  it('ends three intervals after the last digest, also if no reply comes that could end a round', async () => {
    const { time, broker, freshness, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    broker.replyAfterMs = Number.MAX_SAFE_INTEGER;
    await time.runFor(FRESH_INTERVALS * INTERVAL_MS - 2);
    expect(freshness).toEqual([true]);
    await time.runFor(1);
    expect(freshness).toEqual([true, false]);
    repair.stop();
  });

  it('does not begin before a long list of changes was read to its end', async () => {
    const { time, broker, calls, freshness, repair } = createRepair();
    broker.digest = { ...DIGEST, hasMore: true };
    broker.beforeReply = () => {
      broker.isLost = calls.length > 1;
    };
    repair.start();
    await time.runFor(1);
    expect([calls, repair.fresh, freshness]).toEqual([['list', 'list'], false, []]);
    repair.stop();
  });

  it('needs a digest of every partition', async () => {
    const { time, broker, freshness, repair } = createRepair({ partitions: 2 });
    broker.lostPartition = 1;
    repair.start();
    await time.runFor(1);
    expect([repair.fresh, freshness, repair.provenUntilMs]).toEqual([false, [], Number.NEGATIVE_INFINITY]);
    broker.lostPartition = undefined;
    await time.runFor(INTERVAL_MS);
    expect([repair.fresh, freshness, repair.provenUntilMs]).toEqual([true, [true], INTERVAL_MS]);
    repair.stop();
  });

  it('has ended when a suspended process resumes, before any timer fires', async () => {
    const { time, stood, freshness, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    stood.stillMs = FRESH_INTERVALS * INTERVAL_MS - time.nowMs;
    expect(repair.fresh).toBe(false);
    await time.runFor(2 * INTERVAL_MS);
    expect([repair.fresh, freshness]).toEqual([true, [true, false, true]]);
    repair.stop();
  });

  it('ends three intervals after a topic could not be watched or loaded, and returns when it is', async () => {
    const { time, freshness, causes, chatIs, repair } = createRepair();
    repair.start();
    await time.runFor(10 * INTERVAL_MS);
    chatIs.unprovenSinceMs = time.nowMs;
    await time.runFor(FRESH_INTERVALS * INTERVAL_MS - 1);
    expect([repair.fresh, freshness]).toEqual([true, [true]]);
    await time.runFor(1);
    expect([repair.fresh, freshness, causes]).toEqual([false, [true, false], [undefined, 'subscription']]);
    await time.runFor(10 * INTERVAL_MS);
    expect(freshness).toEqual([true, false]);
    chatIs.unprovenSinceMs = undefined;
    repair.updateFreshness();
    expect([repair.fresh, freshness]).toEqual([true, [true, false, true]]);
    repair.stop();
  });

  it('is not affected by a clock that is set ahead', async () => {
    const { time, day, freshness, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    day.offsetMs = 3_600_000;
    await time.runFor(10 * INTERVAL_MS);
    expect(freshness).toEqual([true]);
    repair.stop();
  });
});

describe('a round', () => {
  /** Runs the rounds until a partition was listed, which the first one does. */
  async function createListed() {
    const parts = createRepair();
    parts.broker.signals = 'complete';
    parts.repair.start();
    await parts.time.runFor(1);
    expect(parts.calls.splice(0)).toEqual(['list']);
    const round = async () => {
      await parts.time.runFor(INTERVAL_MS);
      return parts.calls.splice(0);
    };
    return { ...parts, round };
  }

  it('lists nothing while probes prove that all signals have arrived, and that keeps the relay fresh', async () => {
    const { broker, freshness, repair, round } = await createListed();
    broker.digest = { ...DIGEST, last: 9 };
    for (let i = 0; i < 8; i += 1) expect(await round()).toEqual(['probe']);
    expect([repair.fresh, freshness]).toEqual([true, [true]]);
    repair.stop();
  });

  it('lists changes if signals are unproven, and replaces the subscription if they are lost', async () => {
    const { broker, heard, repair, round } = await createListed();
    broker.digest = { ...DIGEST, last: 9, changed: [{ topic: chat, version: 9 }] };
    broker.signals = 'unproven';
    heard.length = 0;
    expect(await round()).toEqual(['probe', 'list']);
    expect(heard).toEqual([{ topic: chat, version: 9 }]);
    broker.signals = 'lost';
    expect(await round()).toEqual(['probe', 'list', 'reset']);
    repair.stop();
  });

  it.each([
    ['epoch', { epoch: 'another' }, []],
    ['raise of the floor', { raiseId: 'another', floor: 7 }, []],
    ['last version, below the one before', { last: 0 }, 'all'],
  ])('lists changes if a probe reports another %s', async (_, change, changed) => {
    const { broker, reports, named, repair, round } = await createListed();
    broker.digest = { ...DIGEST, ...change };
    expect(await round()).toEqual(['probe', 'list']);
    expect(reports).toContainEqual(['probed', 'unproven']);
    expect(named.at(-1)).toEqual([0, changed]);
    repair.stop();
  });

  it('replaces a subscription that is lost in the round that finds another server', async () => {
    const { broker, reports, repair, round } = await createListed();
    broker.digest = { ...DIGEST, epoch: 'another' };
    broker.signals = 'lost';
    expect(await round()).toEqual(['probe', 'list', 'reset']);
    expect(reports).toContainEqual(['probed', 'lost']);
    repair.stop();
  });

  it('replaces a subscription that is lost although no update is missing, unless its watches were lost meanwhile', async () => {
    const { broker, calls, repair, round } = await createListed();
    broker.signals = 'lost';
    expect(await round()).toEqual(['probe', 'list', 'reset']);
    broker.beforeReply = () => {
      if (calls.at(-1) === 'list') repair.lost([0]);
    };
    expect(await round()).toEqual(['probe', 'list']);
    repair.stop();
  });

  it('compares every register within a minute also if every round lists changes', async () => {
    const { broker, repair, round } = await createListed();
    broker.signals = 'unproven';
    const rounds: string[] = [];
    while (rounds.length < 20 && !rounds.includes('probe list audit')) rounds.push((await round()).join(' '));
    expect(rounds).toContain('probe list audit');
    repair.stop();
  });

  it('lists changes without a probe after watches were lost, until their topics are watched and read again', async () => {
    const { chatIs, repair, round } = await createListed();
    repair.lost([0]);
    chatIs.relapsed = true;
    expect(await round()).toEqual(['list']);
    expect(await round()).toEqual(['list']);
    chatIs.relapsed = false;
    expect(await round()).toEqual(['probe']);
    repair.stop();
  });

  it('lists changes if watches are lost while a probe is under way, or a digest', async () => {
    const { broker, reports, repair, round } = await createListed();
    const losing = Object.defineProperty({ ...DIGEST }, 'epoch', {
      enumerable: true,
      get() {
        repair.lost([0]);
        return DIGEST.epoch;
      },
    });
    broker.digest = losing;
    expect(await round()).toEqual(['probe', 'list']);
    expect(reports).toContainEqual(['probed', 'unproven']);
    broker.digest = DIGEST;
    expect(await round()).toEqual(['list']);
    expect(await round()).toEqual(['probe']);
    repair.stop();
  });

  it('compares every register with the broker once a minute, and replaces the subscription of one that stays silent', async () => {
    const { broker, heard, repair, round } = await createListed();
    broker.digest = { ...DIGEST, completeAfter: DIGEST.last };
    const rounds: string[] = [];
    while (rounds.length < 20 && !rounds.includes('probe audit')) rounds.push((await round()).join(' '));
    expect(rounds).toContain('probe audit'); // within a minute
    heard.length = 0;
    broker.recent = 9;
    for (let i = 0; i < 20 && heard.length === 0; i += 1) await round();
    expect(heard).toEqual([{ topic: chat, version: 9 }]);
    expect(await round()).toEqual(['probe', 'reset']);
    repair.stop();
  });

  it.each([
    ['does not list changes from as far back', { completeAfter: 80 }, undefined],
    ['refuses the versions, as to a user without the permission', {}, 'refused'],
  ] as const)('reads every register in that case if the broker %s', async (_, change, recent) => {
    const { broker, heard, repair, round } = await createListed();
    broker.digest = { ...DIGEST, last: 90, ...change };
    broker.recent = recent;
    broker.register = { topic: chat, version: 9 };
    heard.length = 0;
    for (let i = 0; i < 20 && heard.length === 0; i += 1) expect((await round())[0]).toBe('probe');
    expect(heard).toEqual([{ topic: chat, version: 9 }]);
    repair.stop();
  });
});

describe('rounds', () => {
  const rounds = (reports: readonly unknown[]) => reports.filter((each) => (each as unknown[])[0] === 'round');

  it.each([
    [0, 0.9],
    [1, 1.1],
  ])('follow one another after the interval, spread by a tenth (random number %s)', async (random, factor) => {
    const { time, reports, repair } = createRepair({ random });
    repair.start();
    await time.runFor(3 * INTERVAL_MS);
    expect(rounds(reports).slice(0, 2)).toEqual([
      ['round', 'interval', 0],
      ['round', 'interval', Math.ceil(INTERVAL_MS * factor)],
    ]);
    repair.stop();
  });

  it('begin at once when the link is up, or directly after the one under way, and then after the interval', async () => {
    const { time, broker, reports, repair } = createRepair();
    broker.signals = 'complete';
    broker.replyAfterMs = 100;
    repair.start();
    await time.runFor(50);
    repair.repairNow('link');
    repair.repairNow('link');
    await time.runFor(1000);
    repair.repairNow('link');
    await time.runFor(INTERVAL_MS + 100);
    expect(rounds(reports)).toEqual([
      ['round', 'interval', 0],
      ['round', 'link', 100],
      ['round', 'link', 1050],
      ['round', 'interval', 1150 + INTERVAL_MS],
    ]);
    repair.stop();
  });

  it.each([true, false])(
    'end when repair is stopped, also while one is under way (more to list: %s)',
    async (hasMore) => {
      const { time, timers, broker, reports, freshness, requests, repair } = createRepair();
      broker.digest = { ...DIGEST, hasMore };
      broker.replyAfterMs = 100;
      repair.start();
      await time.runFor(50);
      repair.stop();
      repair.repairNow('link');
      await time.runFor(10 * INTERVAL_MS);
      expect([rounds(reports).length, requests.length, freshness, timers.count]).toEqual([1, 1, [], 0]);
    },
  );

  it('report how long calls took, in seconds, and those that failed', async () => {
    const { time, broker, reports, requests, repair } = createRepair();
    broker.replyAfterMs = 100;
    broker.signals = 'complete';
    await time.runFor(1000);
    repair.start();
    await time.runFor(INTERVAL_MS + 200);
    expect(requests).toEqual([
      ['list', 0],
      ['probe', INTERVAL_MS / 4],
    ]);
    expect(reports.filter((each) => !rounds([each]).length)).toEqual([
      ['digested', 0.1],
      ['digested', 0.1],
      ['probed', 'complete'],
    ]);
    expect(repair.digestAgeMs).toBe(100);
    reports.length = 0;
    broker.isLost = true;
    await time.runFor(INTERVAL_MS + 100);
    expect(reports.slice(1)).toEqual([['failed']]);
    expect(repair.digestAgeMs).toBe(INTERVAL_MS + 200);
    repair.stop();
  });

  it('read a long list of changes in parts, each from the last entry of the one before, and count their updates', async () => {
    const { time, broker, calls, heard, reports, requests, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    const parts = [
      { last: 30, changed: [{ topic: chat, version: 9 }], hasMore: true },
      {
        last: 30,
        changed: [
          { topic: chat, version: 4 },
          { topic: 'other' as Topic, version: 20 },
        ],
        hasMore: true,
      },
      { last: 30, changed: [{ topic: 'other' as Topic, version: 25 }] },
    ];
    let reads = 0;
    broker.reading = () => {
      reads += 1;
    };
    broker.beforeReply = () => {
      if (calls.at(-1) === 'list') broker.digest = { ...DIGEST, ...parts.shift() };
    };
    for (const list of [requests, reports, heard]) list.length = 0;
    await time.runFor(1.5 * INTERVAL_MS);
    expect(requests.slice(1)).toEqual([
      ['list', 1],
      ['list', 9],
      ['list', 20],
    ]);
    expect(heard).toEqual([{ topic: chat, version: 9 }]);
    expect(reports).toContainEqual(['repaired', 1]);
    expect(reads).toBe(1); // only of what is missing
    requests.length = 0;
    await time.runFor(INTERVAL_MS);
    expect(requests[1]).toEqual(['list', 30]);
    repair.stop();
  });
});

describe('an update that a digest brought before its signal', () => {
  /** Runs the rounds until chat is repaired to version 9. */
  async function createRepaired() {
    const parts = createRepair();
    parts.broker.signals = 'unproven';
    parts.repair.start();
    await parts.time.runFor(1);
    parts.broker.digest = { ...DIGEST, last: 9, changed: [{ topic: chat, version: 9 }] };
    parts.calls.length = 0;
    await parts.time.runFor(INTERVAL_MS);
    expect(parts.calls).toEqual(['probe', 'list']);
    expect(parts.reports).toContainEqual(['repaired', 1]);
    parts.chatIs.version = 9;
    parts.calls.length = 0;
    return parts;
  }

  it('shows that the subscription is deaf if the signal does not follow, unless the topic is not watched any more', async () => {
    const deaf = await createRepaired();
    await deaf.time.runFor(INTERVAL_MS);
    expect(deaf.calls).toEqual(['probe', 'list', 'reset']);
    expect(deaf.reports).toContainEqual(['deaf']);
    deaf.calls.length = 0;
    await deaf.time.runFor(INTERVAL_MS);
    expect(deaf.calls).toEqual(['probe', 'list']);
    deaf.repair.stop();
    const left = await createRepaired();
    left.chatIs.version = undefined;
    await left.time.runFor(INTERVAL_MS);
    expect(left.calls).toEqual(['probe', 'list']);
    left.repair.stop();
  });

  it.each([
    [8, ['probe', 'list', 'reset']],
    [9, ['probe', 'list']],
    [10, ['probe', 'list']],
  ])('shows nothing if the signal, or a later one, is only late (version %s)', async (version, calls) => {
    const parts = await createRepaired();
    parts.repair.signalled(0, chat, version);
    await parts.time.runFor(INTERVAL_MS);
    expect(parts.calls).toEqual(calls);
    parts.repair.stop();
  });

  it('is seen, as is one that was signalled or read: the next request names its version', async () => {
    const parts = await createRepaired();
    const next = async () => {
      await parts.time.runFor(INTERVAL_MS);
      return parts.witnesses.at(-1)?.version;
    };
    expect(await next()).toBe(9);
    parts.repair.signalled(0, chat, 11);
    expect(await next()).toBe(11);
    parts.repair.saw(chat, 12);
    expect(await next()).toBe(12);
    for (const unknown of [1, -1]) {
      parts.repair.signalled(unknown, chat, 13);
      parts.repair.raiseFloor(unknown, 13);
      parts.repair.lost([unknown]);
    }
    expect(await next()).toBe(12);
    parts.repair.stop();
  });

  it('is not one that expired before the relay read that there is none', async () => {
    const { time, broker, heard, chatIs, repair } = createRepair();
    broker.signals = 'complete';
    broker.recent = 9;
    chatIs.emptyUpTo = 9;
    repair.start();
    await time.runFor(60_000);
    expect(heard).toEqual([]);
    chatIs.emptyUpTo = 8;
    await time.runFor(60_000);
    expect(heard[0]).toEqual({ topic: chat, version: 9 });
    repair.stop();
  });
});
