import { describe, expect, it } from 'vitest';
import { SessionTopics } from '../../../../services/relay/session/session-topics.ts';
import { parseTopic, type Topic } from '../../../../services/shared/update/topic.ts';

const [A, B, C] = ['a', 'b', 'c'].map(parseTopic) as [Topic, Topic, Topic];
const pending = (since: number | null) => ({ since, joinedAtMs: 0, saidNull: false });

describe('the topics of a session', () => {
  it('are those that were added and not deleted, each once', () => {
    const topics = new SessionTopics();
    expect([topics.add(A, pending(1)), topics.add(A, pending(2)), topics.add(B, pending(3))]).toEqual([
      true,
      false,
      true,
    ]);
    expect([...topics]).toEqual([A, B]);
    expect(topics.size).toBe(2);
    expect([topics.delete(A), topics.delete(A), topics.delete(C)]).toEqual([true, false, false]);
    expect([topics.has(A), topics.has(B), topics.size]).toEqual([false, true, 1]);
    expect([topics.add(C, pending(4)), topics.add(B, pending(5))]).toEqual([true, false]);
    expect(new Set(topics)).toEqual(new Set([B, C]));
    expect([topics.delete(B), topics.delete(C), topics.size]).toEqual([true, true, 0]);
    expect([...topics]).toEqual([]);
  });

  it('are owed what was asked last, until it is said or they are gone', () => {
    const topics = new SessionTopics();
    topics.add(A, pending(1));
    topics.add(A, pending(2));
    topics.add(B, pending(3));
    topics.add(C, pending(4));
    expect([...topics.owed].map(([topic, { since }]) => [topic, since])).toEqual([
      [A, 2],
      [B, 3],
      [C, 4],
    ]);
    topics.settle(A);
    topics.delete(B);
    expect([...topics.owed.keys()]).toEqual([C]);
    expect(topics.has(A)).toBe(true);
    topics.clear();
    expect([topics.owed.size, topics.size, topics.has(A)]).toEqual([0, 0, false]);
  });
});
