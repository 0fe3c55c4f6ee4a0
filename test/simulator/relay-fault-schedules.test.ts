import { beforeEach, describe, expect, it } from 'vitest';
import type { Topic } from '../../services/shared/update/topic.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import type { SimulatedRelay } from './simulated-relay.ts';
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
