import { expect, it } from 'vitest';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { RECENT_WINDOW_US } from '../../services/shared/broker/retention.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { updateBody } from '../support/update-body.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const inMemory = async () => {
  const broker = new MemoryBroker();
  return { connect: () => broker, close: async () => {} };
};

describeBroker('in memory', inMemory);
describeReceipts('in memory', inMemory);

it('an in-memory broker reports what a digest covers, and deletes older changes', async () => {
  let nowMs = 1_700_000_000_000;
  const broker = new MemoryBroker({ nowMs: () => nowMs });
  await broker.start();
  const nothing = { epoch: '', version: 0 };
  const publish = async (topic: string) => (await broker.publish(topic as Topic, {}, nothing)).version;
  const digest = () => broker.digest(0, nothing, 0);
  const old = await publish('old');
  await publish('kept');
  nowMs += RECENT_WINDOW_US / 1000 / 2;
  const kept = await publish('kept');
  expect(await digest()).toMatchObject({
    completeAfter: 0,
    changed: [
      { topic: 'old', version: old },
      { topic: 'kept', version: kept },
    ],
  });
  nowMs += RECENT_WINDOW_US / 1000 / 2 + 1;
  const newest = await publish('new');
  expect(await digest()).toMatchObject({
    completeAfter: old,
    changed: [
      { topic: 'kept', version: kept },
      { topic: 'new', version: newest },
    ],
  });
});

it('the in-memory broker deletes data after its retention, and keeps the version', async () => {
  let nowMs = 1_700_000_000_000;
  const broker = new MemoryBroker({ nowMs: () => nowMs, dataTtlMs: 1000 });
  await broker.start();
  const topic = 'chat' as Topic;
  const body = { ...updateBody({ data: [1] }), spread: 5 };
  const { version } = await broker.publish(topic, body, { epoch: '', version: 0 });
  nowMs += 999;
  expect(await broker.read([topic])).toEqual([{ topic, version, ...body }]);
  nowMs += 1;
  expect(await broker.read([topic])).toEqual([{ topic, version, spread: 5 }]);
  await broker.stop();
});
