import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINGER_MS, TopicInterest } from '../../../../services/relay/hub/topic-interest.ts';
import { AppError } from '../../../../services/shared/errors.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import type { Update, Version } from '../../../../services/shared/update/update.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const TOPICS = ['a1', 'a2', 'b1', 'b2'] as Topic[];
const PARTITIONS = ['a', 'b'];

/** How the broker treats one call: when it takes effect, if so, and when it answers. */
interface Fate {
  readonly delayMs: number;
  readonly fails: boolean;
  readonly takesEffect: boolean;
}

/** A feed of two partitions (by the first letter) whose calls fail or are delayed on demand. */
class FatefulFeed {
  readonly watched = new Set<Topic>();
  readonly registers = new Map<Topic, Version>();
  readonly #time: VirtualTime;
  readonly #nextFate: () => Fate;

  constructor(time: VirtualTime, nextFate: () => Fate) {
    this.#time = time;
    this.#nextFate = nextFate;
  }

  partitionOf(topic: Topic): number {
    return PARTITIONS.indexOf(topic.charAt(0));
  }

  watch(topics: readonly Topic[]): Promise<void> {
    return this.#call(() => topics.forEach((topic) => void this.watched.add(topic)));
  }

  unwatch(topics: readonly Topic[]): Promise<void> {
    return this.#call(() => topics.forEach((topic) => void this.watched.delete(topic)));
  }

  read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    return this.#call(() =>
      topics.map((topic) => {
        const version = this.registers.get(topic);
        return version === undefined ? undefined : { topic, version };
      }),
    );
  }

  #call<T>(effect: () => T): Promise<T> {
    const { delayMs, fails, takesEffect } = this.#nextFate();
    return new Promise((resolve, reject) => {
      this.#time.after(delayMs, () => {
        const result = !fails || takesEffect ? effect() : undefined;
        if (fails) reject(new AppError('broker_unavailable'));
        else this.#time.after(delayMs, () => resolve(result as T));
      });
    });
  }
}

type Move =
  | { readonly kind: 'want' | 'release' | 'publish' | 'publish unheard'; readonly topic: Topic }
  | { readonly kind: 'lost'; readonly partition: number }
  | { readonly kind: 'linkUp' }
  | { readonly kind: 'wait'; readonly ms: number };

/** Small numbers, so that calls under way are often met by what voids them. */
const SOON_MS = 40;

const moves = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('want', 'release', 'publish', 'publish unheard'),
        topic: fc.constantFrom(...TOPICS),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('lost'), partition: fc.nat({ max: 1 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('linkUp') }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.nat({ max: SOON_MS }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.nat({ max: 2 * LINGER_MS }) }) },
  ) as fc.Arbitrary<Move>,
  { minLength: 4, maxLength: 40 },
);

const fates = fc.array(
  fc.record({
    delayMs: fc.nat({ max: SOON_MS }),
    fails: fc.boolean(),
    takesEffect: fc.boolean(),
  }),
  { maxLength: 40 },
);

/** The registers that were loaded and not forgotten, as in the hub. */
class KnownRegisters {
  readonly known = new Map<Topic, Version>();

  loaded(topic: Topic, stored: Update | undefined): void {
    this.known.set(topic, Math.max(stored?.version ?? 0, this.known.get(topic) ?? 0));
  }

  forget(topic: Topic): void {
    this.known.delete(topic);
  }

  isLoaded(topic: Topic): boolean {
    return this.known.has(topic);
  }

  attempted(): void {}
}

async function play(list: readonly Move[], fateList: readonly Fate[]) {
  const time = new VirtualTime();
  const left = [...fateList];
  const feed = new FatefulFeed(time, () => left.shift() ?? { delayMs: 1, fails: false, takesEffect: true });
  const handler = new KnownRegisters();
  const interest = new TopicInterest({ feed, handler, clock: time.clock() });
  const wanted = new Set<Topic>();
  const publish = (topic: Topic) => {
    const version = (feed.registers.get(topic) ?? 0) + 1;
    feed.registers.set(topic, version);
    return version;
  };
  for (const move of list) {
    if (move.kind === 'wait') await time.runFor(move.ms);
    else if (move.kind === 'linkUp') interest.retryNow();
    else if (move.kind === 'lost') {
      for (const topic of TOPICS) if (feed.partitionOf(topic) === move.partition) feed.watched.delete(topic);
      interest.lost([move.partition]);
    } else if (move.kind === 'publish unheard') {
      const version = publish(move.topic);
      // As repair does: a digest names the topic and repairs it.
      interest.changed(feed.partitionOf(move.topic), [move.topic]);
      if (handler.known.has(move.topic)) handler.known.set(move.topic, version);
    } else if (move.kind === 'publish') {
      const version = publish(move.topic);
      // As the hub does: merges signals of watched topics.
      if (feed.watched.has(move.topic) && interest.isWatched(move.topic)) {
        handler.known.set(move.topic, Math.max(version, handler.known.get(move.topic) ?? 0));
      }
    } else if (move.kind === 'want' && !wanted.has(move.topic)) {
      wanted.add(move.topic);
      interest.acquire(move.topic);
    } else if (move.kind === 'release' && wanted.delete(move.topic)) interest.release(move.topic);
  }
  left.length = 0; // from here on nothing fails
  await time.runFor(4 * LINGER_MS);
  interest.stop();
  return { feed, handler, wanted, interest };
}

describe('TopicInterest', () => {
  it('ends with watches and registers of exactly the topics in use, after failures, delays and losses', async () => {
    await fc.assert(
      fc.asyncProperty(moves, fates, async (list, fateList) => {
        const { feed, handler, wanted, interest } = await play(list, fateList);
        for (const topic of TOPICS) expect([topic, interest.isWatched(topic)]).toEqual([topic, wanted.has(topic)]);
        // A watch whose release failed may linger, for it costs only unread signals; none may be missing.
        expect([...wanted].filter((topic) => !feed.watched.has(topic))).toEqual([]);
        expect([...handler.known.keys()].sort()).toEqual([...wanted].sort());
        for (const topic of wanted) expect(handler.known.get(topic)).toBe(feed.registers.get(topic) ?? 0);
        expect(interest.unprovenSinceMs).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  it('loads the topics of all reachable partitions while another one is unreachable', async () => {
    const time = new VirtualTime();
    const feed = new FatefulFeed(time, () => ({ delayMs: 1, fails: false, takesEffect: true }));
    const handler = new KnownRegisters();
    const unlessLost =
      <T>(call: (topics: readonly Topic[]) => Promise<T>) =>
      (topics: readonly Topic[]) =>
        topics.some((topic) => feed.partitionOf(topic) === 0)
          ? Promise.reject(new AppError('broker_unavailable'))
          : call(topics);
    const interest = new TopicInterest({
      feed: {
        partitionOf: (topic) => feed.partitionOf(topic),
        watch: unlessLost((topics) => feed.watch(topics)),
        unwatch: unlessLost((topics) => feed.unwatch(topics)),
        read: unlessLost((topics) => feed.read(topics)),
      },
      handler,
      clock: time.clock(),
    });
    for (const topic of TOPICS) interest.acquire(topic);
    await time.runFor(100);
    expect([...handler.known.keys()]).toEqual(['b1', 'b2']);
    interest.stop();
  });

  it('knows since when a topic is not loaded, or its watch is lost, until the oldest of them is proven again', async () => {
    const time = new VirtualTime();
    let fails = false;
    const feed = new FatefulFeed(time, () => ({ delayMs: 1, fails, takesEffect: !fails }));
    const interest = new TopicInterest({ feed, handler: new KnownRegisters(), clock: time.clock() });
    const [first, second] = ['a1', 'b1'] as [Topic, Topic];
    interest.acquire(first);
    await time.runFor(100);
    expect(interest.unprovenSinceMs).toBeUndefined();
    fails = true;
    interest.lost([0]);
    await time.runFor(100);
    interest.acquire(second);
    await time.runFor(100);
    expect(interest.unprovenSinceMs).toBe(100);
    interest.release(first);
    await time.runFor(2 * LINGER_MS);
    expect(interest.unprovenSinceMs).toBe(200);
    fails = false;
    await time.runFor(LINGER_MS);
    expect(interest.unprovenSinceMs).toBeUndefined();
    interest.stop();
  });

  it('counts an unused topic until it is released, and releases the oldest first', async () => {
    const time = new VirtualTime();
    const feed = new FatefulFeed(time, () => ({ delayMs: 0, fails: false, takesEffect: true }));
    const interest = new TopicInterest({ feed, handler: new KnownRegisters(), clock: time.clock() });
    const [first, second] = ['a1', 'b1'] as [Topic, Topic];
    for (const topic of [first, second]) interest.acquire(topic);
    await time.runFor(100);
    interest.release(second);
    interest.release(first);
    await time.runFor(LINGER_MS / 2);
    interest.acquire(second);
    interest.release(second);
    expect([interest.size, interest.has(first)]).toEqual([2, true]);
    await time.runFor(LINGER_MS * 0.6);
    expect([interest.size, interest.has(first), interest.has(second)]).toEqual([1, false, true]);
    await time.runFor(LINGER_MS);
    expect(interest.size).toBe(0);
    interest.stop();
  });
});

describe('the calls of TopicInterest', () => {
  const [A1, A2, B1, B2] = TOPICS as [Topic, Topic, Topic, Topic];
  const DELAY_MS = 10;

  /** Records calls as `watch a1,a2`. A call takes effect after 10 ms, and ends 10 ms later; or fails after 10 ms. */
  function createInterest() {
    const time = new VirtualTime();
    const fate = { fails: false };
    const feed = new FatefulFeed(time, () => ({ delayMs: DELAY_MS, fails: fate.fails, takesEffect: true }));
    const calls: string[] = [];
    const handler = new KnownRegisters();
    let attempts = 0;
    handler.attempted = () => {
      attempts += 1;
    };
    const recorded = (name: 'watch' | 'unwatch' | 'read') => (topics: readonly Topic[]) => {
      calls.push(`${name} ${topics}`);
      return feed[name](topics) as Promise<never>;
    };
    const interest = new TopicInterest({
      feed: {
        partitionOf: (topic) => feed.partitionOf(topic),
        watch: recorded('watch'),
        unwatch: recorded('unwatch'),
        read: recorded('read'),
      },
      handler,
      clock: time.clock(),
    });
    const take = () => calls.splice(0);
    /** Loads topics. */
    const load = async (...topics: readonly Topic[]) => {
      for (const topic of topics) interest.acquire(topic);
      await time.runFor(100);
      take();
    };
    return { time, fate, interest, handler, load, take, attempts: () => attempts };
  }

  it('are one batch for the changes of a turn: a watch is acknowledged before its register is read', async () => {
    const { time, interest, take } = createInterest();
    time.after(0, () => {
      interest.acquire(A1);
      time.after(0, () => interest.acquire(A2));
    });
    await time.runFor(0);
    expect([take(), interest.isWatched(A1)]).toEqual([['watch a1,a2'], false]);
    await time.runFor(2 * DELAY_MS);
    expect([take(), interest.isWatched(A1)]).toEqual([['read a1,a2'], true]);
    await time.runFor(2 * DELAY_MS);
    expect([take(), interest.isWatched(A1), interest.isWatched(B1)]).toEqual([[], true, false]);
  });

  it('end when all is done, and begin again when a topic is to be unwatched', async () => {
    const { time, interest, load, take, attempts } = createInterest();
    await load(A1, B1);
    const before = attempts();
    await time.runFor(60_000);
    expect([take(), attempts()]).toEqual([[], before]);
    interest.release(A1);
    await time.runFor(LINGER_MS - 1);
    expect(take()).toEqual([]);
    await time.runFor(60_000);
    expect(take()).toEqual(['unwatch a1']);
  });

  it('are repeated after a failure, and not sooner because a topic is released', async () => {
    const { time, fate, interest, take } = createInterest();
    fate.fails = true;
    interest.acquire(A1);
    interest.acquire(B1);
    await time.runFor(0);
    interest.release(B1);
    await time.runFor(DELAY_MS + 99);
    expect(take()).toEqual(['watch a1', 'watch b1']);
    await time.runFor(1);
    expect(take()).toEqual(['watch a1', 'watch b1']);
  });

  it('do not wait for a retry if another topic was acquired meanwhile, and no two are made at a time', async () => {
    const { time, fate, interest, take } = createInterest();
    fate.fails = true;
    interest.acquire(A1);
    await time.runFor(0);
    interest.acquire(B1);
    await time.runFor(DELAY_MS - 1);
    expect(take()).toEqual(['watch a1']);
    await time.runFor(1);
    expect(take()).toEqual(['watch a1', 'watch b1']);
    await time.runFor(DELAY_MS + 200); // the next one is a retry
    expect(take()).toEqual(['watch a1', 'watch b1']);
    interest.acquire(A2);
    await time.runFor(DELAY_MS - 1);
    expect(take()).toEqual([]);
    await time.runFor(1);
    expect(take()).toEqual(['watch a1,a2', 'watch b1']);
  });

  it('are made no more after a stop, also if one fails that was under way', async () => {
    const { time, fate, interest, take } = createInterest();
    fate.fails = true;
    interest.acquire(A1);
    await time.runFor(0);
    take();
    interest.stop();
    await time.runFor(60_000);
    expect(take()).toEqual([]);
    const other = createInterest();
    other.fate.fails = true;
    other.interest.acquire(A1);
    await other.time.runFor(DELAY_MS);
    other.take();
    other.interest.stop();
    await other.time.runFor(60_000);
    expect(other.take()).toEqual([]);
  });

  it('watch and read again the topics of a partition whose watches were lost, and no others', async () => {
    const { time, interest, load, take } = createInterest();
    await load(A1, B1);
    interest.lost([0]);
    expect([interest.isWatched(A1), interest.isWatched(B1)]).toEqual([false, true]);
    await time.runFor(100);
    expect(take()).toEqual(['watch a1', 'read a1']);
  });

  it('read again what is being read if a digest names it, or all of its partition', async () => {
    for (const [named, again] of [
      [[A1], 'read a1'],
      ['all', 'read a1,a2'],
    ] as const) {
      const { time, interest, take } = createInterest();
      for (const topic of TOPICS) interest.acquire(topic);
      await time.runFor(3 * DELAY_MS);
      expect(take()).toEqual(['watch a1,a2', 'watch b1,b2', 'read a1,a2', 'read b1,b2']);
      interest.changed(0, named);
      await time.runFor(100);
      expect(take()).toEqual([again]);
    }
  });

  it('do not watch again what is being watched while a digest names it', async () => {
    const { time, interest, take } = createInterest();
    interest.acquire(A1);
    await time.runFor(0);
    interest.changed(0, [A1]);
    await time.runFor(100);
    expect(take()).toEqual(['watch a1', 'read a1']);
  });

  it('leave loaded topics relapsed and unproven, since their watches were first lost, until they are read again', async () => {
    const { time, fate, interest, load } = createInterest();
    await load(A1);
    fate.fails = true;
    interest.acquire(B2);
    await time.runFor(100);
    interest.lost([1]);
    expect([interest.hasRelapsed(0), interest.hasRelapsed(1)]).toEqual([false, false]); // b2 was not loaded
    expect(interest.unprovenSinceMs).toBe(100);
    interest.lost([0]);
    expect([interest.hasRelapsed(0), interest.hasRelapsed(1)]).toEqual([true, false]);
    await time.runFor(100);
    interest.release(B2);
    await time.runFor(LINGER_MS + 3000);
    interest.lost([0]);
    expect(interest.unprovenSinceMs).toBe(200);
    fate.fails = false;
    interest.retryNow();
    await time.runFor(3 * DELAY_MS);
    // Watched again, so that nothing is missed from now on; what was missed before is not read yet.
    expect([interest.unprovenSinceMs, interest.hasRelapsed(0)]).toEqual([undefined, true]);
    await time.runFor(DELAY_MS);
    expect(interest.hasRelapsed(0)).toBe(false);
  });
});
