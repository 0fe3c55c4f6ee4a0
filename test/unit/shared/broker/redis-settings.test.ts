import { expect, it } from 'vitest';
import {
  RESTORE_TIME_MS,
  RedisSettings,
  type SettingsStore,
} from '../../../../services/shared/broker/redis/redis-settings.ts';
import { SeededRandom } from '../../../simulator/seeded-random.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const MEASURED_MS = 60_000;

/** Runs a cluster of relays for a minute, and returns when they read the settings. */
async function confirmationTimes(relays: number): Promise<readonly number[]> {
  const time = new VirtualTime();
  const random = new SeededRandom(relays);
  const readAtMs: number[] = [];
  const settings = Array.from({ length: relays }, (_, i) => {
    let stored: string | null = null;
    const store: SettingsStore = {
      async get() {
        readAtMs.push(time.nowMs);
        return stored;
      },
      async set(_key, value) {
        stored = value;
      },
    };
    const own = random.fork(i);
    const each = new RedisSettings({
      key: 'config',
      database: 0,
      partitions: 16,
      sharded: false,
      storeAfterMs: 0,
      clock: time.clock(() => own.next()),
      report: { settingsDiffer() {}, evictionPolicy() {} },
      abort() {},
    });
    // As relays that were started one after the other.
    time.after(random.between(0, 10_000), () => {
      void each.agree(store);
      each.keepConfirming(
        () => store,
        () => relays,
      );
    });
    return each;
  });
  await time.runFor(20_000);
  readAtMs.length = 0;
  await time.runFor(MEASURED_MS);
  for (const each of settings) each.stop();
  return readAtMs;
}

it.each([1, 10, 16, 17, 40, 160, 400])(
  'a cluster of %i relays always restores lost settings before a new process stores its own',
  async (relays) => {
    const times = await confirmationTimes(relays);
    const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] as number));
    expect(Math.max(...gaps)).toBeLessThan(RESTORE_TIME_MS);
  },
);

it('a relay of a large cluster reads the settings at most an eighth as often as one of a small cluster', async () => {
  const [few, many] = [await confirmationTimes(10), await confirmationTimes(200)];
  expect(many.length / 200).toBeLessThan(few.length / 10 / 8);
});
