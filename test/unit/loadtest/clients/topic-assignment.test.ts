import { describe, expect, it } from 'vitest';
import {
  placeOf,
  type TopicChoice,
  topicName,
  topicNumber,
  topicsOf,
} from '../../../../services/loadtest/clients/topic-assignment.ts';
import { parseMix, TRANSPORTS, transportOf } from '../../../../services/loadtest/clients/transport-mix.ts';

const choice = (more: Partial<TopicChoice> = {}): TopicChoice => ({
  topics: 10,
  topicsPerClient: 1,
  spread: 'even',
  prefix: 'load/',
  ...more,
});

/** How many of the first clients listen to each topic. */
function audience(of: TopicChoice, clients: number): number[] {
  const count = new Array<number>(of.topics).fill(0);
  for (let client = 0; client < clients; client += 1) {
    for (const topic of topicsOf(of, client)) count[topic] = (count[topic] ?? 0) + 1;
  }
  return count;
}

describe('who listens to what', () => {
  it('is even, however many topics a client has', () => {
    expect(audience(choice(), 1000)).toEqual(new Array(10).fill(100));
    expect(audience(choice({ topicsPerClient: 3 }), 1000)).toEqual(new Array(10).fill(300));
  });

  it('goes down with the number of a topic by 1/n with zipf, and leaves none without a client', () => {
    const count = audience(choice({ spread: 'zipf', topics: 100 }), 10_000);
    expect(count.every((n) => n > 0)).toBe(true);
    expect((count[0] ?? 0) / (count[9] ?? 0)).toBeGreaterThan(5);
    expect((count[0] ?? 0) / (count[9] ?? 0)).toBeLessThan(20);
    const halves = [count.slice(0, 10), count.slice(10)].map((half) => half.reduce((sum, n) => sum + n, 0));
    expect(Math.abs((halves[0] ?? 0) - (halves[1] ?? 0))).toBeLessThan(1000); // the tenth that half of them want
  });

  it('is different topics for one client, each at a place that is found again', () => {
    for (const spread of ['even', 'zipf'] as const) {
      const some = choice({ spread, topicsPerClient: 4 });
      for (let client = 0; client < 100; client += 1) {
        const topics = topicsOf(some, client);
        expect(new Set(topics).size).toBe(4);
        for (let topic = 0; topic < 10; topic += 1) expect(placeOf(some, client, topic)).toBe(topics.indexOf(topic));
      }
    }
  });

  it('is known by the names of topics, and by no others', () => {
    const some = choice();
    for (const topic of [0, 9]) expect(topicNumber(some, topicName(some, topic))).toBe(topic);
    for (const name of ['load/10', 'load/-1', 'load/x', 'load/1.5', 'other/1', 'load']) {
      expect(topicNumber(some, name), name).toBe(-1);
    }
  });
});

describe('which transport a client takes', () => {
  it('is shared out as asked, also among the first few and among every other one', () => {
    const mix = parseMix('ws=70,update_check=10,sse=10,longpoll=10');
    if (!mix) throw new Error('this is a mix');
    for (const numbers of [
      Array.from({ length: 100 }, (_, i) => i),
      Array.from({ length: 1000 }, (_, i) => 2 * i),
      Array.from({ length: 1000 }, (_, i) => 7 + 56 * i),
    ]) {
      for (const name of TRANSPORTS) {
        const share = numbers.filter((n) => transportOf(n, mix) === name).length / numbers.length;
        expect(Math.abs(share - mix[name]), name).toBeLessThan(0.03);
      }
    }
  });

  it('is never one that nobody asked for', () => {
    const mix = parseMix('update_check=1,longpoll=2');
    if (!mix) throw new Error('this is a mix');
    const seen = new Set(Array.from({ length: 1000 }, (_, n) => transportOf(n, mix)));
    expect([...seen].sort()).toEqual(['longpoll', 'update_check']);
  });

  it('is read in any unit, and not from nonsense', () => {
    expect(parseMix('ws=1, sse=3')).toEqual(parseMix('ws=25%,sse=75%'));
    for (const text of ['', 'ws', 'ws=', 'ws=-1', 'ws=0', 'ws=1,,', 'xyz=1', '__proto__=1', 'ws=1e9']) {
      expect(parseMix(text), text).toBeUndefined();
    }
  });
});
