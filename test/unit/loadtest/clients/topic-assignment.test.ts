import { describe, expect, it } from 'vitest';
import {
  positionOf,
  type TopicAssignment,
  topicName,
  topicNumber,
  topicsOf,
} from '../../../../services/loadtest/clients/topic-assignment.ts';
import { parseTransportMix, transportOf } from '../../../../services/loadtest/clients/transport-mix.ts';
import { TRANSPORT_NAMES } from '../../../../services/shared/protocol/transport-name.ts';

const assignment = (more: Partial<TopicAssignment> = {}): TopicAssignment => ({
  topics: 10,
  topicsPerClient: 1,
  spread: 'even',
  prefix: 'load/',
  ...more,
});

/** Counts the subscribers of each topic among the first clients. */
function subscribers(of: TopicAssignment, clients: number): number[] {
  const count = new Array<number>(of.topics).fill(0);
  for (let client = 0; client < clients; client += 1) {
    for (const topic of topicsOf(of, client)) count[topic] = (count[topic] ?? 0) + 1;
  }
  return count;
}

describe('the topics of clients', () => {
  it('have equally many subscribers, for any number of topics per client', () => {
    expect(subscribers(assignment(), 1000)).toEqual(new Array(10).fill(100));
    expect(subscribers(assignment({ topicsPerClient: 3 }), 1000)).toEqual(new Array(10).fill(300));
  });

  it('have a number of subscribers proportional to 1/n with zipf, and at least one', () => {
    const count = subscribers(assignment({ spread: 'zipf', topics: 100 }), 10_000);
    expect(count.every((n) => n > 0)).toBe(true);
    expect((count[0] ?? 0) / (count[9] ?? 0)).toBeGreaterThan(5);
    expect((count[0] ?? 0) / (count[9] ?? 0)).toBeLessThan(20);
    const halves = [count.slice(0, 10), count.slice(10)].map((half) => half.reduce((sum, n) => sum + n, 0));
    expect(Math.abs((halves[0] ?? 0) - (halves[1] ?? 0))).toBeLessThan(1000); // the first tenth of the topics has half of the subscribers
  });

  it('are distinct for a client, and their positions can be computed', () => {
    for (const spread of ['even', 'zipf'] as const) {
      const some = assignment({ spread, topicsPerClient: 4 });
      for (let client = 0; client < 100; client += 1) {
        const topics = topicsOf(some, client);
        expect(new Set(topics).size).toBe(4);
        for (let topic = 0; topic < 10; topic += 1) expect(positionOf(some, client, topic)).toBe(topics.indexOf(topic));
      }
    }
  });

  it('are recognized by name', () => {
    const some = assignment();
    for (const topic of [0, 9]) expect(topicNumber(some, topicName(some, topic))).toBe(topic);
    for (const name of ['load/10', 'load/-1', 'load/x', 'load/1.5', 'other/1', 'load']) {
      expect(topicNumber(some, name), name).toBe(-1);
    }
  });
});

describe('the transport of a client', () => {
  it('follows the requested mix, also among few clients and among every n-th client', () => {
    const mix = parseTransportMix('ws=70,update_check=10,sse=10,longpoll=10');
    if (!mix) throw new Error('the mix is valid');
    for (const numbers of [
      Array.from({ length: 100 }, (_, i) => i),
      Array.from({ length: 1000 }, (_, i) => 2 * i),
      Array.from({ length: 1000 }, (_, i) => 7 + 56 * i),
    ]) {
      for (const name of TRANSPORT_NAMES) {
        const share = numbers.filter((n) => transportOf(n, mix) === name).length / numbers.length;
        expect(Math.abs(share - mix[name]), name).toBeLessThan(0.03);
      }
    }
  });

  it('is never one with a share of 0', () => {
    const mix = parseTransportMix('update_check=1,longpoll=2');
    if (!mix) throw new Error('the mix is valid');
    const seen = new Set(Array.from({ length: 1000 }, (_, n) => transportOf(n, mix)));
    expect([...seen].sort()).toEqual(['legacy', 'long-poll']);
  });

  it('is parsed from weights in any unit; invalid text is rejected', () => {
    expect(parseTransportMix('ws=1, sse=3')).toEqual(parseTransportMix('ws=25%,sse=75%'));
    for (const text of ['', 'ws', 'ws=', 'ws=-1', 'ws=0', 'ws=1,,', 'xyz=1', '__proto__=1', 'ws=1e9']) {
      expect(parseTransportMix(text), text).toBeUndefined();
    }
  });
});
