import { describe, expect, it } from 'vitest';
import type { ProcessRecord, TopicList } from '../../../services/stats/store/records.ts';
import { listTopics, parseTopicQuery } from '../../../services/stats/view/topics.ts';

const relay = (topicLists: Readonly<Record<string, TopicList>>): ProcessRecord => ({
  ...{ process: 'p', services: ['relay'], host: 'h', pid: 1, startedAtMs: 0, skewUs: 0, uncertainUs: 0, facts: {} },
  topicLists,
});
const entry = (topic: string, subscribers: number, version = 0) => ({ topic, subscribers, version });
const list = (topics: TopicList['topics'], matching = topics.length): TopicList => ({ topics, matching });

describe('the list of topics', () => {
  it('sums the relays, with the newest version', () => {
    const processes = [
      relay({ '': list([entry('chat', 2, 5), entry('news', 1)]) }),
      relay({ '': list([entry('chat', 3, 7)]), other: list([entry('other', 1)]) }),
      relay({}),
    ];
    expect(listTopics(processes, parseTopicQuery({}))).toMatchObject({
      topics: [
        { topic: 'chat', subscribers: 5, relays: 2, version: 7 },
        { topic: 'news', subscribers: 1, relays: 1, version: 0 },
      ],
      ...{ relays: 2, listed: 2, page: 1, pages: 1, isPartial: false },
    });
  });

  it('has pages, and says if relays have left out topics', () => {
    const many = Array.from({ length: 60 }, (_, n) => entry(`t${n}`, n));
    const processes = [relay({ t: list(many, 100) })];
    const page = (number: unknown) => listTopics(processes, parseTopicQuery({ search: 't', page: String(number) }));
    expect(page(1)).toMatchObject({ pages: 3, listed: 60, isPartial: true, topics: { length: 25 } });
    expect(page(3)).toMatchObject({ page: 3, topics: { length: 10 } });
    expect(page(9)).toMatchObject({ page: 3 });
    for (const invalid of [0, -1, 1.5, 'x', '']) expect(page(invalid)).toMatchObject({ page: 1 });
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'is empty for a search that no relay has answered: %s',
    (search) => {
      expect(listTopics([relay({})], parseTopicQuery({ search }))).toMatchObject({ topics: [], relays: 0 });
    },
  );

  it.each([
    [{}, { column: 'subscribers', descending: true }],
    [{ topics: 'topic' }, { column: 'topic', descending: false }],
    [{ topics: '-constructor' }, { column: 'subscribers', descending: true }],
  ])('is sorted by a query: %j', (query, sort) => {
    expect(parseTopicQuery(query)).toMatchObject({ sort, search: '' });
  });
});
