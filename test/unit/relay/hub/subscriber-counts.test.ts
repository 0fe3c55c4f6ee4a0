import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubscriberCounts } from '../../../../services/relay/hub/subscriber-counts.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';

const TOPICS = ['a', 'b', 'c'] as Topic[];
/** A subscription to a topic, or the end of one. */
const moves = fc.array(fc.record({ topic: fc.constantFrom(...TOPICS), joins: fc.boolean() }), { maxLength: 60 });

describe('SubscriberCounts', () => {
  it('counts the subscribers of each topic, and finds the first and the last', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const counts = new SubscriberCounts();
        const expected = new Map<Topic, number>(TOPICS.map((topic) => [topic, 0]));
        for (const { topic, joins } of list) {
          const before = expected.get(topic) ?? 0;
          if (!joins && before === 0) continue;
          expected.set(topic, joins ? before + 1 : before - 1);
          if (joins) expect(counts.add(topic)).toBe(before === 0);
          else expect(counts.remove(topic)).toBe(before === 1);
          for (const [name, count] of expected) expect(counts.count(name)).toBe(count);
          expect(counts.size).toBe([...expected.values()].filter((count) => count > 0).length);
        }
      }),
    );
  });
});
