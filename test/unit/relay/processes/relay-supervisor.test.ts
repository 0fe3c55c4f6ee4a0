import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { RelaySupervisor } from '../../../../services/relay/processes/relay-supervisor.ts';
import { type Clock, SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import { renderMerged } from '../../../../services/shared/process/metrics-registry.ts';
import { eventually } from '../../../support/eventually.ts';

const BRIEF = fileURLToPath(new URL('../../../support/brief-process.mjs', import.meta.url));

/** A clock that does not wait, but records the delays. */
class InstantClock implements Clock {
  readonly waits: number[] = [];
  passedMs = 0;

  nowMs = () => SYSTEM_CLOCK.nowMs();
  monotonicMs = () => this.passedMs;
  random = () => 0;
  atTurnEnd = (callback: () => void) => SYSTEM_CLOCK.atTurnEnd(callback);
  after(delayMs: number, callback: () => void) {
    this.waits.push(delayMs);
    return SYSTEM_CLOCK.after(0, callback);
  }
}

describe('relay processes that exit', () => {
  let processes: RelaySupervisor | undefined;
  afterEach(() => processes?.stop());

  function create(options: {
    count?: number;
    until: 'started' | 'asked' | 'stopped';
    clock?: Clock;
    main?: string;
  }): RelaySupervisor {
    const { count = 1, until, clock = SYSTEM_CLOCK, main = BRIEF } = options;
    const env = { BRIEF_UNTIL: until };
    const logger = pino({ level: 'silent' });
    processes = new RelaySupervisor({ main, count, env, clock, logger, ready: () => void ready.push(count) });
    return processes;
  }
  const ready: number[] = [];

  it('are restarted, each time after twice the delay, up to ten seconds', async () => {
    const clock = new InstantClock();
    await create({ until: 'started', clock }).start();
    await eventually(() => {
      expect(clock.waits.slice(0, 8)).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    }, 15_000);
  });

  it('are restarted after the first delay again if one ran for a minute', async () => {
    const clock = new InstantClock();
    await create({ until: 'started', clock }).start();
    await eventually(() => expect(clock.waits.length).toBeGreaterThan(2), 10_000);
    const { length } = clock.waits;
    Object.defineProperty(clock, 'monotonicMs', { value: () => (clock.passedMs += 61_000) });
    await eventually(() => expect(clock.waits.slice(length + 1, length + 3)).toEqual([200, 200]), 10_000);
  });

  it('are ready when all of them are', async () => {
    ready.length = 0;
    await create({ count: 2, until: 'stopped' }).start();
    await eventually(() => expect(ready).toEqual([2]));
  });

  it('do not lower the counters', async () => {
    const own = create({ count: 2, until: 'asked' });
    await own.start();
    const seen: number[] = [];
    await eventually(async () => {
      seen.push(Number(/^counted_total (\d+)$/m.exec(await renderMerged(await own.metrics()))?.[1]));
      expect(seen.at(-1)).toBeGreaterThanOrEqual(30); // two processes twice, and one of them again
    }, 10_000);
    expect(seen[0]).toBe(10);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it('fail the start if they exit before they listen', async () => {
    await expect(create({ until: 'started', main: '/dev/null' }).start()).rejects.toThrow(/before it listened/);
  });

  it('are not restarted after a stop', async () => {
    const clock = new InstantClock();
    const own = create({ until: 'stopped', clock });
    await own.start();
    await own.stop();
    expect(clock.waits).toEqual([]);
    await own.stop(); // idempotent
  });
});
