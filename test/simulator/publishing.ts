import type { Fault } from './fault.ts';

/** The app saves something new and publishes it: what every run is about. */
export const PUBLISHING: Fault = {
  name: 'the app publishes',
  weight: 60,
  maxMs: 0,
  begin({ publisher, random, topics }) {
    const some = random.chance(0.8) ? [random.pick(topics)] : random.some(topics, 0.4);
    publisher.publish(some, random.chance(0.5));
    return { what: some.join() };
  },
};
