import { describe, expect, it } from 'vitest';
import { listTopics } from '../../../../services/relay/hub/topic-list.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';

const COUNTS = [
  ['news', 3],
  ['orders/1', 1],
  ['orders/2', 9],
  ['chat', 5],
].map(([topic, count]) => [topic as Topic, Number(count)] as const);
const versionOf = (topic: Topic) => (topic === 'chat' ? 1_790_000_000_000_000 : 0);
const names = ({ topics }: ReturnType<typeof listTopics>) => topics.map(({ topic }) => topic);

describe('the topics of a relay', () => {
  it('are those with the most subscribers, with their versions', () => {
    expect(listTopics(COUNTS, versionOf, { search: '', limit: 2 })).toEqual({
      topics: [
        { topic: 'orders/2', subscribers: 9, version: 0 },
        { topic: 'chat', subscribers: 5, version: 1_790_000_000_000_000 },
      ],
      matching: 4,
    });
  });

  it('are searched by a part of their names', () => {
    expect(names(listTopics(COUNTS, versionOf, { search: 'orders/', limit: 10 }))).toEqual(['orders/2', 'orders/1']);
    expect(listTopics(COUNTS, versionOf, { search: 'none', limit: 10 })).toEqual({ topics: [], matching: 0 });
  });

  it('are the same whatever their order, and looked at up to a limit', () => {
    const many = Array.from({ length: 60_000 }, (_, n) => [`t/${n}` as Topic, (n * 7919) % 50_021] as const);
    const top = many.slice(0, 50_000).sort(([, one], [, other]) => other - one);
    const list = listTopics(many, versionOf, { search: '', limit: 100 });
    expect(list.topics.map(({ subscribers }) => subscribers)).toEqual(top.slice(0, 100).map(([, count]) => count));
    expect(list.matching).toBe(50_000);
  });
});
