import { beforeEach, describe, expect, it } from 'vitest';
import { ReceiptAnswers } from '../../../../services/relay/cluster/receipt-answers.ts';
import type { ReceiptQuery, ReceiptReply } from '../../../../services/shared/broker/receipts.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

describe('a relay that is asked for receipts', () => {
  let time: VirtualTime;
  let ask: (question: ReceiptQuery) => void;
  let answered: { id: string; relay: string; answer: ReceiptReply; atMs: number }[];
  let version: number;
  let fails: boolean;

  beforeEach(() => {
    time = new VirtualTime();
    answered = [];
    version = 1;
    fails = false;
    const answers = new ReceiptAnswers({
      relay: 'me',
      clock: time.clock(),
      receiptOf: (topic) => (topic === 'unknown' ? undefined : { version, told: 1, listening: 1, behind: version }),
      receipts: {
        async reply({ id }, relay, answer) {
          if (fails) throw new Error('the broker is away');
          answered.push({ id, relay, answer, atMs: time.nowMs });
        },
      },
    });
    ask = (question) => answers.hear(question);
  });

  const about = (count: number, id = crypto.randomUUID() as string): ReceiptQuery => ({
    id,
    topics: Array.from({ length: count }, (_, i) => `t${i}` as Topic),
  });

  it('answers what was handed over in the turn of the question, once that is written and it is known who fell behind', async () => {
    const turnEnd = (name: string, next?: () => void) =>
      time.atTurnEnd(() => {
        version += 1;
        seen.push(`${name}: ${answered.length} answers`);
        next?.();
      });
    const seen: string[] = [];
    turnEnd('first', () => turnEnd('second'));
    ask({ id: 'q', topics: ['chat', 'unknown'] as Topic[] });
    time.atTurnEnd(() => seen.push(`written: ${answered.length} answers`));
    await time.runFor(1);
    const receipt = { version: 2, told: 1, listening: 1, behind: 3 };
    expect(answered).toEqual([{ id: 'q', relay: 'me', answer: [receipt, undefined], atMs: 0 }]);
    expect(seen).toEqual(['first: 0 answers', 'written: 0 answers', 'second: 0 answers']);
  });

  it('answers a question that comes twice in a turn once, and again in another turn', async () => {
    ask(about(1, 'q'));
    ask(about(1, 'q'));
    await time.runFor(1);
    expect(answered).toHaveLength(1);
    ask(about(1, 'q'));
    await time.runFor(1);
    expect(answered).toHaveLength(2);
  });

  it('goes on after an answer that was lost', async () => {
    fails = true;
    ask(about(1));
    await time.runFor(1);
    fails = false;
    ask(about(1));
    await time.runFor(1);
    expect(answered).toHaveLength(1);
  });

  it('answers a flood in pieces, and no more of it than it bears', async () => {
    for (let n = 0; n < 300; n += 1) ask(about(n === 7 ? 90 : 30));
    const topicsInTurns: number[] = [];
    let before = 0;
    const count = () => {
      const topics = answered.slice(before).reduce((sum, { answer }) => sum + answer.length, 0);
      before = answered.length;
      if (topics > 0) topicsInTurns.push(topics);
      if (topics > 0 || topicsInTurns.length === 0) time.atTurnEnd(count);
    };
    time.atTurnEnd(count);
    await time.runFor(1);
    expect(answered).toHaveLength(256);
    expect(Math.max(...topicsInTurns)).toBe(90);
    expect(topicsInTurns.length).toBeGreaterThan(80);
  });
});
