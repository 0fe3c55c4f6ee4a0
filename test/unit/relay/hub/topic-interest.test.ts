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
