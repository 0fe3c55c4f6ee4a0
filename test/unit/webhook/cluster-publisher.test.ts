import { beforeEach, describe, expect, it } from 'vitest';
import {
  type BrokerPublisher,
  type Digest,
  NotReplicatedError,
  type Published,
  type Witness,
} from '../../../services/shared/broker/broker.ts';
import { SYSTEM_CLOCK } from '../../../services/shared/clock.ts';
import { AppError } from '../../../services/shared/errors.ts';
import type { JsonText } from '../../../services/shared/update/json-text.ts';
import { parseTopic, type Topic } from '../../../services/shared/update/topic.ts';
import type { UpdateBody } from '../../../services/shared/update/update.ts';
import { ClusterPublisher } from '../../../services/webhook/cluster-publisher.ts';

/** A reply. By default, the version before that of its topic is 1, and the one assigned to this process before is adjacent. */
type Assigned = Pick<Published, 'version' | 'epoch'> & Partial<Published>;

interface Call {
  readonly topics: readonly Topic[];
  readonly body: UpdateBody;
  readonly witness: Witness;
  reply(...published: readonly Assigned[]): void;
  fail(error: Error): void;
}

const NO_CHANGES: Digest = {
  epoch: '',
  floor: 0,
  isFirstFloor: false,
  last: 0,
  base: 0,
  retainedSince: 0,
  completeAfter: 0,
  raiseId: '',
  changed: [],
  hasMore: false,
};

/** A broker of two partitions (topics that begin with `a`, and the others) that replies when the test says so. */
class ManualBroker implements BrokerPublisher {
  readonly partitions = 2;
  readonly calls: Call[] = [];
  readonly digests: { partition: number; witness: Witness }[] = [];

  partitionOf(topic: Topic): number {
    return topic.startsWith('a') ? 0 : 1;
  }

  publish(): Promise<Published> {
    throw new Error('not needed here');
  }

  publishAll(topics: readonly Topic[], body: UpdateBody, witness: Witness): Promise<readonly Published[]> {
    return new Promise((resolve, fail) => {
      const reply: Call['reply'] = (...assigned) =>
        resolve(assigned.map((one) => ({ previous: 1, assignedBefore: one.version - 1, ...one })));
      this.calls.push({ topics, body, witness, reply, fail });
    });
  }

  /** Has assigned versions up to 49; raises the floor if the witness has seen a higher one. */
  async digest(partition: number, witness: Witness): Promise<Digest> {
    this.digests.push({ partition, witness });
    const [floor, last] = witness.version > 49 ? [witness.version + 1, witness.version + 1] : [5, 49];
    return { ...NO_CHANGES, epoch: 'h', floor, last };
  }

  read(): Promise<never> {
    throw new Error('not needed here');
  }
}

/** The acknowledged version as this process sends it. */
const promised = (version: number) => ({ publisher: (2 ** 47).toString(36), version });
const topics = (...names: string[]) => names.map(parseTopic);
let broker: ManualBroker;
let publisher: ClusterPublisher;
/** How often it has reported a lost update. */
let lost: number;

/** Publishes one topic and replies at once. Returns the witness of the call. */
async function publishAt(name: string, published: Assigned): Promise<Witness | undefined> {
  const done = publisher.publish(topics(name), {});
  const call = broker.calls.at(-1);
  call?.reply(published);
  await done;
  return call?.witness;
}

beforeEach(() => {
  broker = new ManualBroker();
  lost = 0;
  const report = {
    updateLost() {
      lost += 1;
    },
  };
  publisher = new ClusterPublisher({ broker, clock: { ...SYSTEM_CLOCK, random: () => 0.5 }, report });
});

const ONE = '1' as JsonText;

describe('ClusterPublisher', () => {
  it('publishes the topics of each partition in one call, all in parallel with the same body, and returns versions in their order', async () => {
    const done = publisher.publish(topics('a1', 'b', 'a2'), { data: ONE });
    expect(broker.calls.map(({ topics: names, body }) => [names, body])).toEqual([
      [['a1', 'a2'], { data: ONE }],
      [['b'], { data: ONE }],
    ]);
    broker.calls[1]?.reply({ version: 10, epoch: 'h' });
    broker.calls[0]?.reply({ version: 20, epoch: 'h' }, { version: 21, epoch: 'h' });
    expect(await done).toEqual([
      { topic: 'a1', version: 20, previous: 1 },
      { topic: 'b', version: 10, previous: 1 },
      { topic: 'a2', version: 21, previous: 1 },
    ]);
    expect(await publishAt('a3', { version: 22, epoch: 'h' })).toMatchObject({ version: 21, promised: promised(21) });
  });

  it('sends a witness of earlier replies for the partition', async () => {
    expect(await publishAt('a1', { version: 10, epoch: 'h' })).toEqual({
      epoch: '',
      version: 0,
      promised: promised(0),
    });
    expect(await publishAt('a2', { version: 11, epoch: 'h' })).toEqual({
      epoch: 'h',
      version: 10,
      acknowledged: [1],
      promised: promised(10),
    });
    expect(await publishAt('a1', { version: 12, epoch: 'i' })).toEqual({
      epoch: 'h',
      version: 11,
      acknowledged: [2],
      promised: promised(11),
    });
    expect(await publishAt('a1', { version: 13, epoch: 'i' })).toEqual({
      epoch: 'i',
      version: 12,
      acknowledged: [3],
      promised: promised(12),
    });
  });

  it('keeps a separate witness for each partition', async () => {
    await publishAt('a', { version: 10, epoch: 'h' });
    expect(await publishAt('b', { version: 5, epoch: 'k' })).toEqual({ epoch: '', version: 0, promised: promised(0) });
    expect(await publishAt('a', { version: 11, epoch: 'h' })).toMatchObject({ epoch: 'h', version: 10 });
  });

  it('uses the highest version if replies arrive out of order', async () => {
    const first = publisher.publish(topics('a1'), {});
    const second = publisher.publish(topics('a2'), {});
    broker.calls[1]?.reply({ version: 20, epoch: 'h' });
    await second;
    broker.calls[0]?.reply({ version: 10, epoch: 'h' });
    await first;
    expect(await publishAt('a3', { version: 21, epoch: 'h' })).toEqual({
      epoch: 'h',
      version: 20,
      acknowledged: [2],
      promised: promised(20),
    });
  });

  it('sends acknowledgements under two epochs as one that equals neither, so that the broker checks either', async () => {
    const first = publisher.publish(topics('a1'), {});
    const second = publisher.publish(topics('a2'), {});
    broker.calls[1]?.reply({ version: 20, epoch: 'new' });
    await second;
    broker.calls[0]?.reply({ version: 10, epoch: 'old' });
    await first;
    const witness = await publishAt('a3', { version: 30, epoch: 'new' });
    expect(witness).toMatchObject({ version: 20, acknowledged: [1, 2] });
    expect(['new', 'old', '']).not.toContain(witness?.epoch);
    expect(await publishAt('a4', { version: 31, epoch: 'new' })).toEqual({
      epoch: 'new',
      version: 30,
      acknowledged: [3],
      promised: promised(30),
    });
  });

  it('sends an acknowledgement under a replaced epoch once, even if calls are always in progress', async () => {
    const done = [publisher.publish(topics('a1'), {}), publisher.publish(topics('a2'), {})];
    broker.calls[0]?.reply({ version: 10, epoch: 'old' });
    await done[0];
    for (let n = 1; n < 20; n += 1) {
      // Another call is sent before each reply.
      done.push(publisher.publish(topics('a3'), {}));
      broker.calls[n]?.reply({ version: 20 + n, epoch: 'new' });
      await done[n];
    }
    const shown = broker.calls.map(({ witness }) => witness.epoch);
    expect(shown).toEqual(['', '', 'old', 'old new', ...Array(17).fill('new')]);
  });

  it('sends an acknowledgement by a replaced master again if it was made after the call to its successor', async () => {
    await publishAt('a1', { version: 10, epoch: 'old' });
    const first = publisher.publish(topics('a1'), {});
    const second = publisher.publish(topics('a2'), {});
    broker.calls[1]?.reply({ version: 11, epoch: 'old' });
    await first;
    broker.calls[2]?.reply({ version: 20, epoch: 'new' });
    await second;
    expect(await publishAt('a3', { version: 21, epoch: 'new' })).toMatchObject({ acknowledged: [2, 3] });
    expect(broker.calls.at(-1)?.witness.epoch).toContain('old');
    expect(await publishAt('a3', { version: 22, epoch: 'new' })).toMatchObject({ epoch: 'new', acknowledged: [4] });
  });

  it('presents a witness once to a master that refuses updates because replicas are missing', async () => {
    await publishAt('a1', { version: 10, epoch: 'old' });
    for (const version of [20, 21]) {
      const refused = publisher.publish(topics('a1'), {});
      broker.calls
        .at(-1)
        ?.fail(new NotReplicatedError({ version, epoch: 'new', previous: 1, assignedBefore: version - 1 }));
      await expect(refused).rejects.toMatchObject({ code: 'not_replicated' });
    }
    const shown = broker.calls.map(({ witness }) => [witness.epoch, witness.acknowledged]);
    expect(shown).toEqual([
      ['', undefined],
      ['old', [1]],
      ['new', undefined],
    ]);
    // A refused update is not acknowledged. Later versions are above it, and the raise that the first call made must not get lost.
    expect(await publishAt('a2', { version: 22, epoch: 'new' })).toEqual({
      epoch: 'new',
      version: 21,
      promised: promised(20),
    });
  });

  describe('if an acknowledged version is missing when a call that overlaps gets a later one', () => {
    const LOST = { version: 10, epoch: 'h', assignedBefore: 5 };
    const LATER = { version: 20, epoch: 'h', assignedBefore: 5 };

    /** Starts a call for each reply, then replies in the given order. */
    async function publishTogether(order: readonly number[], ...replies: readonly (Assigned | Error)[]): Promise<void> {
      const done = replies.map(() => publisher.publish(topics('a'), {}));
      const calls = broker.calls.slice(-replies.length);
      for (const i of order) {
        const reply = replies[i] as Assigned | Error;
        if (reply instanceof Error) calls[i]?.fail(reply);
        else calls[i]?.reply(reply);
        await done[i]?.catch(() => {});
      }
    }

    /** Returns the epoch that the next call presents, and the one after it. */
    async function nextEpochs(): Promise<readonly unknown[]> {
      const [first, second] = [
        await publishAt('a', { version: 30, epoch: 'h' }),
        await publishAt('a', { version: 31, epoch: 'h' }),
      ];
      return [first?.epoch, second?.epoch];
    }

    it.each([
      ['first', [0, 1]],
      ['last', [1, 0]],
    ])('makes the next call raise the floor, once, if its reply arrives %s', async (_, order) => {
      await publishTogether(order, LOST, LATER);
      expect(await nextEpochs()).toEqual(['h lost', 'h']);
      expect(lost).toBe(1);
    });

    it('does so if the later update is refused because replicas are missing', async () => {
      await publishTogether([0, 1], LOST, new NotReplicatedError({ ...LATER, previous: 1 }));
      expect(await nextEpochs()).toEqual(['h lost', 'h']);
    });

    it('does so if the broker assigned the same version to both', async () => {
      await publishTogether([0, 1], LOST, LOST);
      expect(await nextEpochs()).toEqual(['h lost', 'h']);
    });

    it('does so with several topics in a call', async () => {
      const done = [publisher.publish(topics('a1', 'a2'), {}), publisher.publish(topics('a3', 'a4'), {})];
      broker.calls[0]?.reply({ ...LOST, version: 9 }, LOST);
      broker.calls[1]?.reply({ ...LATER, version: 19 }, LATER);
      await Promise.all(done);
      expect(await nextEpochs()).toEqual(['h lost', 'h']);
    });

    it('reports a loss once, whatever the number of replies that show it, and the next one', async () => {
      await publishTogether([0, 1, 2], LOST, LATER, { ...LATER, version: 21 });
      expect(lost).toBe(1);
      await nextEpochs();
      await publishTogether(
        [0, 1],
        { ...LOST, version: 40, assignedBefore: 35 },
        { ...LATER, version: 50, assignedBefore: 35 },
      );
      expect(lost).toBe(2);
    });

    it('requests the raise again if the next call fails', async () => {
      await publishTogether([0, 1], LOST, LATER);
      await publishTogether([0], new AppError('broker_unavailable'));
      expect(await nextEpochs()).toEqual(['h lost', 'h']);
    });

    it('does nothing if the update was not acknowledged, or under another epoch, whose loss is detected otherwise', async () => {
      await publishTogether([1, 0], LATER, new NotReplicatedError({ ...LOST, previous: 1 }));
      expect((await nextEpochs())[0]).toBe('h');
      expect(lost).toBe(0);
      await publishTogether([0, 1], { ...LOST, version: 40 }, { version: 50, epoch: 'i', assignedBefore: 5 });
      expect((await nextEpochs())[0]).not.toContain('lost');
    });

    it('does nothing if the call began after the acknowledgement: its witness made the broker raise the floor', async () => {
      const slow = publisher.publish(topics('a'), {});
      await publishAt('a', LOST);
      await publishAt('a', LATER);
      broker.calls[0]?.reply({ version: 21, epoch: 'h', assignedBefore: 20 });
      await slow;
      expect((await nextEpochs())[0]).toBe('h');
    });
  });

  it('requests no raise while the broker keeps everything, whatever the order of replies, failures and topics per call', async () => {
    const results: Promise<unknown>[] = [];
    let last = 0;
    for (let round = 0; round < 50; round += 1) {
      const names = ['a1', 'a2', 'a3'].slice(0, 1 + (round % 3));
      results.push(...[1, 2, 3, 4].map(() => publisher.publish(topics(...names), {}).catch(() => {})));
      const replies = broker.calls.slice(-4).map((call, i) => {
        const assignedBefore = last;
        const published = names.map(() => ({ version: ++last, epoch: 'h', assignedBefore, previous: 1 }));
        if (i === round % 7) return () => call.fail(new AppError('broker_unavailable')); // the reply is lost
        if (i === round % 5) return () => call.fail(new NotReplicatedError(published.at(-1) as Published));
        return () => call.reply(...published);
      });
      // One call of each round replies only after the next round has begun.
      const [late, ...others] = round % 2 === 0 ? replies : replies.toReversed();
      for (const reply of others) reply();
      await new Promise((resolve) => setImmediate(resolve));
      results.push(new Promise<void>((resolve) => setImmediate(() => resolve(late?.()))));
    }
    await Promise.all(results);
    expect(broker.calls.filter(({ witness }) => witness.epoch.includes('lost'))).toEqual([]);
  });

  it('fails as a whole if one partition fails, and keeps the acknowledgements of the others', async () => {
    const done = publisher.publish(topics('a1', 'b'), {});
    broker.calls[0]?.reply({ version: 10, epoch: 'h' });
    broker.calls[1]?.fail(new AppError('broker_unavailable'));
    await expect(done).rejects.toMatchObject({ code: 'broker_unavailable' });
    expect(await publishAt('a1', { version: 11, epoch: 'h' })).toMatchObject({ epoch: 'h', version: 10 });
  });

  it('reads floors by one digest for each partition, which shows what relays have seen of it', async () => {
    await publishAt('a1', { version: 10, epoch: 'h' });
    expect(await publisher.floors(topics('a1', 'b', 'a2'), [0, 60, 12])).toEqual([5, 61, 5]);
    expect(broker.digests).toMatchObject([
      { partition: 0, witness: { epoch: 'h', version: 12, promised: promised(10), acknowledged: [1] } },
      { partition: 1, witness: { version: 60 } },
    ]);
    expect(await publisher.floors(topics('b', 'a1'), [60, 40])).toEqual([62, 5]);
  });
});
