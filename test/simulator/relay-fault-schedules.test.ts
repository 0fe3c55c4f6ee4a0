import { beforeEach, describe, expect, it } from 'vitest';
import type { Topic } from '../../services/shared/update/topic.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { REPAIR_INTERVAL_MS, type SimulatedRelay } from './simulated-relay.ts';
import { Simulation } from './simulation.ts';

const TOPIC = 'chat' as Topic;
const START_MS = 1_790_000_000_000;

/** Faults of relays at times that random schedules seldom choose. */
describe('a relay', () => {
  let time: VirtualTime;
  let simulation: Simulation;
  let relay: SimulatedRelay;

  beforeEach(async () => {
    time = new VirtualTime(START_MS);
    simulation = new Simulation({ seed: 1, time });
    relay = simulation.relays[0] as SimulatedRelay;
    await time.runFor(2000);
  });

  /** Requests the topic by long-polling; the returned list receives the status of the response. */
  function poll(etag: string, waitS: number): number[] {
    const statuses: number[] = [];
    const headers = { 'if-none-match': etag, prefer: `wait=${waitS}` };
    relay.request(new URL(`http://relay/topics/${TOPIC}`), headers, {
      head: (status) => void statuses.push(status),
      chunk() {},
      closed() {},
    });
    return statuses;
  }

  it('whose subscriber connection alone fails becomes stale once a topic waits for longer than three intervals', async () => {
    const messages: unknown[] = [];
    const peer = { opened() {}, message: (text: string) => void messages.push(JSON.parse(text)), closed() {} };
    const statesOf = (type: string) => messages.filter((message) => (message as { type: string }).type === type);
    for (const shard of simulation.cluster.shards) shard.blackhole(`${relay.process.name}/subscriber`);
    await time.runFor(60_000);
    expect(relay.hub.fresh).toBe(true); // no topic waits
    relay.connect('/ws', `topic=${TOPIC}`, peer);
    await time.runFor(3 * REPAIR_INTERVAL_MS - 100);
    expect([relay.hub.fresh, messages]).toEqual([true, []]);
    simulation.publisher.publish([TOPIC], false);
    await time.runFor(3 * REPAIR_INTERVAL_MS);
    expect(relay.hub.fresh).toBe(false);
    expect(messages).toEqual([
      { type: 'freshness', fresh: false },
      { type: 'subscribed', topics: { [TOPIC]: null } },
    ]);
    await time.runFor(60_000);
    for (const shard of simulation.cluster.shards) shard.restore(`${relay.process.name}/subscriber`);
    await time.runFor(3000);
    expect(statesOf('freshness').at(-1)).toEqual({ type: 'freshness', fresh: true });
    expect(statesOf('update')).toHaveLength(1);
  });

  it('that stood still answers no long-poll with 304 before it is fresh again', async () => {
    poll('"1"', 1);
    await time.runFor(1000);
    const etag = `"${relay.hub.current(TOPIC).version}"`;
    const [quick, waiting] = [poll(etag, 1), poll(etag, 2)];
    await time.runFor(500);
    relay.process.suspend();
    await time.runFor(20_000);
    relay.process.resume();
    await time.runFor(100);
    expect([...quick, ...waiting]).toEqual([503, 503]);
    await time.runFor(5000);
    const after = poll(etag, 1);
    await time.runFor(1100);
    expect(after).toEqual([304]);
  });
});
