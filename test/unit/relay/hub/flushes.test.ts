import { describe, expect, it } from 'vitest';
import { type Flushable, Flushes } from '../../../../services/relay/hub/flushes.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

function createFlushes() {
  const time = new VirtualTime();
  const flushed: (readonly [string, number])[] = [];
  const item = (name: string): Flushable & { name: string } => ({ name, flushed: 0, dirty: false });
  const flushes = new Flushes<Flushable & { name: string }>({
    clock: time.clock(),
    flush: ({ name, flushed: position, dirty }) => flushed.push([dirty ? `dirty ${name}` : name, position]),
  });
  return { time, flushes, flushed, item };
}

describe('the flushes of a relay', () => {
  it('include each item once, at the end of the turn in which it changed, in the order of the changes', async () => {
    const { time, flushes, flushed, item } = createFlushes();
    const [one, two] = [item('one'), item('two')];
    expect([flushes.touch(two), flushes.touch(one), flushes.touch(two)]).toEqual([true, true, false]);
    expect([one.dirty, flushed]).toEqual([true, []]);
    await time.runFor(1);
    expect(flushed).toEqual([
      ['two', 1],
      ['one', 2],
    ]);
    expect(flushes.upcoming).toBe(3);
    expect([flushes.touch(one), flushes.next()]).toEqual([true, 3]);
    await time.runFor(1);
    expect(flushed.slice(2)).toEqual([['one', 4]]);
  });

  it('may be missed by a client that falls behind now, from the first one of the turn before the last on', async () => {
    const { time, flushes, item } = createFlushes();
    const turn = async (...names: string[]) => {
      for (const name of names) flushes.touch(item(name));
      await time.runFor(1);
      return flushes.position;
    };
    expect(flushes.position).toBe(1);
    expect(await turn('a', 'b')).toBe(1); // 1 and 2
    expect(await turn('c')).toBe(1); // 3
    expect(await turn('d')).toBe(3); // 4
    expect(await turn('e')).toBe(4);
  });
});
