import { beforeEach, describe, expect, it } from 'vitest';
import type { BrokerPublisher, Digest, Published, Witness } from '../../../services/shared/broker/broker.ts';
import { SYSTEM_CLOCK } from '../../../services/shared/clock.ts';
import { AppError } from '../../../services/shared/errors.ts';
import { parseTopic, type Topic } from '../../../services/shared/update/topic.ts';
import type { UpdateBody } from '../../../services/shared/update/update.ts';
import { ClusterPublisher } from '../../../services/webhook/cluster-publisher.ts';

interface Call {
  readonly topic: Topic;
  readonly body: UpdateBody;
  readonly witness: Witness;
  answer(published: Published): void;
  fail(error: Error): void;
}

/** A broker of two partitions (topics that begin with `a`, and the others) whose answers the test gives. */
class ManualBroker implements BrokerPublisher {
  readonly partitions = 2;
  readonly calls: Call[] = [];

  partitionOf(topic: Topic): number {
    return topic.startsWith('a') ? 0 : 1;
  }

  publish(topic: Topic, body: UpdateBody, witness: Witness): Promise<Published> {
    return new Promise((answer, fail) => {
      this.calls.push({ topic, body, witness, answer, fail });
    });
  }

  digest(): Promise<Digest> {
    throw new Error('not needed here');
  }
}

const topics = (...names: string[]) => names.map(parseTopic);
let broker: ManualBroker;
let publisher: ClusterPublisher;

/** Publishes one topic and answers at once. Returns the witness that went along. */
async function publishAt(name: string, published: Published): Promise<Witness | undefined> {
  const done = publisher.publish(topics(name), {});
  const call = broker.calls.at(-1);
  call?.answer(published);
  await done;
  return call?.witness;
}

beforeEach(() => {
  broker = new ManualBroker();
  publisher = new ClusterPublisher({ broker, clock: SYSTEM_CLOCK });
});

describe('ClusterPublisher', () => {
  it('publishes every topic with the same body, all at once, and answers in their order', async () => {
    const done = publisher.publish(topics('b', 'a1', 'a2'), { data: 1 });
    expect(broker.calls.map(({ topic, body }) => [topic, body])).toEqual([
      ['b', { data: 1 }],
      ['a1', { data: 1 }],
      ['a2', { data: 1 }],
    ]);
    broker.calls[2]?.answer({ version: 30, epoch: 'h' });
    broker.calls[1]?.answer({ version: 20, epoch: 'h' });
    broker.calls[0]?.answer({ version: 10, epoch: 'h' });
    expect(await done).toEqual([
      { topic: 'b', version: 10 },
      { topic: 'a1', version: 20 },
      { topic: 'a2', version: 30 },
    ]);
  });

  it('carries along what it was promised in the partition before', async () => {
    expect(await publishAt('a1', { version: 10, epoch: 'h' })).toEqual({ epoch: '', version: 0 });
    const acknowledged = true;
    expect(await publishAt('a2', { version: 11, epoch: 'h' })).toEqual({ epoch: 'h', version: 10, acknowledged });
    expect(await publishAt('a1', { version: 12, epoch: 'i' })).toEqual({ epoch: 'h', version: 11, acknowledged });
    expect(await publishAt('a1', { version: 13, epoch: 'i' })).toEqual({ epoch: 'i', version: 12, acknowledged });
  });

  it('keeps partitions apart', async () => {
    await publishAt('a', { version: 10, epoch: 'h' });
    expect(await publishAt('b', { version: 5, epoch: 'k' })).toEqual({ epoch: '', version: 0 });
    expect(await publishAt('a', { version: 11, epoch: 'h' })).toMatchObject({ epoch: 'h', version: 10 });
  });

  it('goes by the highest version where answers overtake each other', async () => {
    const first = publisher.publish(topics('a1'), {});
    const second = publisher.publish(topics('a2'), {});
    broker.calls[1]?.answer({ version: 20, epoch: 'h' });
    await second;
    broker.calls[0]?.answer({ version: 10, epoch: 'h' });
    await first;
    expect(await publishAt('a3', { version: 21, epoch: 'h' })).toEqual({
      epoch: 'h',
      version: 20,
      acknowledged: true,
    });
  });

  it('carries promises under two histories along as promises under neither, so that one is dealt with', async () => {
    const first = publisher.publish(topics('a1'), {});
    const second = publisher.publish(topics('a2'), {});
    broker.calls[1]?.answer({ version: 20, epoch: 'new' });
    await second;
    broker.calls[0]?.answer({ version: 10, epoch: 'old' });
    await first;
    const witness = await publishAt('a3', { version: 30, epoch: 'new' });
    expect(witness).toMatchObject({ version: 20, acknowledged: true });
    expect(['new', 'old', '']).not.toContain(witness?.epoch);
    expect(await publishAt('a4', { version: 31, epoch: 'new' })).toEqual({
      epoch: 'new',
      version: 30,
      acknowledged: true,
    });
  });

  it('shows a promise to the broker that replaced its own once, however many calls are under way all the time', async () => {
    const done = [publisher.publish(topics('a1'), {}), publisher.publish(topics('a2'), {})];
    broker.calls[0]?.answer({ version: 10, epoch: 'old' });
    await done[0];
    for (let n = 1; n < 20; n += 1) {
      // Before each answer another call is sent.
      done.push(publisher.publish(topics('a3'), {}));
      broker.calls[n]?.answer({ version: 20 + n, epoch: 'new' });
      await done[n];
    }
    const shown = broker.calls.map(({ witness }) => witness.epoch);
    expect(shown).toEqual(['', '', 'old', 'old new', ...Array(17).fill('new')]);
  });

  it('goes on showing a promise that was made by a replaced broker after its successor was asked', async () => {
    await publishAt('a1', { version: 10, epoch: 'old' });
    const first = publisher.publish(topics('a1'), {});
    const second = publisher.publish(topics('a2'), {});
    broker.calls[1]?.answer({ version: 11, epoch: 'old' });
    await first;
    broker.calls[2]?.answer({ version: 20, epoch: 'new' });
    await second;
    expect(await publishAt('a3', { version: 21, epoch: 'new' })).toMatchObject({ acknowledged: true });
    expect(broker.calls.at(-1)?.witness.epoch).toContain('old');
    expect(await publishAt('a3', { version: 22, epoch: 'new' })).toMatchObject({ epoch: 'new', acknowledged: true });
  });

  it('fails as a whole where one topic fails, and remembers what the others were promised', async () => {
    const done = publisher.publish(topics('a1', 'a2'), {});
    broker.calls[0]?.answer({ version: 10, epoch: 'h' });
    broker.calls[1]?.fail(new AppError('broker_unavailable'));
    await expect(done).rejects.toMatchObject({ code: 'broker_unavailable' });
    expect(await publishAt('a1', { version: 11, epoch: 'h' })).toMatchObject({ epoch: 'h', version: 10 });
  });
});
