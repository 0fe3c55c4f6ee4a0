import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonText } from '../../../../services/shared/update/json-text.ts';
import { parseTopic } from '../../../../services/shared/update/topic.ts';
import { merge, parseVersion, type Update } from '../../../../services/shared/update/update.ts';

const topic = parseTopic('chat');

/** The body is a function of the version, because the broker never gives two updates the same version. */
const updates = fc
  .integer({ min: 0, max: 8 })
  .map(
    (version): Update => (version % 3 === 0 ? { topic, version } : { topic, version, data: `${version}` as JsonText }),
  );

describe('merging a register', () => {
  it('is commutative', () => {
    fc.assert(
      fc.property(updates, updates, (a, b) => {
        expect(merge(a, b)).toEqual(merge(b, a));
      }),
    );
  });

  it('is associative', () => {
    fc.assert(
      fc.property(updates, updates, updates, (a, b, c) => {
        expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)));
      }),
    );
  });

  it('is idempotent, and keeps the same object', () => {
    fc.assert(
      fc.property(updates, updates, (a, b) => {
        const merged = merge(a, b);
        expect(merge(merged, b)).toBe(merged);
        expect(merge(merged, a)).toBe(merged);
        expect(merge(a, { ...a })).toBe(a);
      }),
    );
  });

  it('never decreases the version, and accepts any first update', () => {
    fc.assert(
      fc.property(updates, updates, (a, b) => {
        expect(merge(a, b).version).toBe(Math.max(a.version, b.version));
        expect(merge(undefined, b)).toBe(b);
      }),
    );
  });

  it('ends at the newest update, in any order and with any repetition', () => {
    fc.assert(
      fc.property(fc.array(updates, { minLength: 1 }), fc.infiniteStream(fc.nat()), (arrived, choices) => {
        const repeated = arrived.flatMap((update) =>
          Array.from({ length: 1 + ((choices.next().value ?? 0) % 3) }, () => update),
        );
        const shuffled = repeated
          .map((update) => ({ update, place: choices.next().value ?? 0 }))
          .sort((a, b) => a.place - b.place)
          .map(({ update }) => update);
        const end = (list: readonly Update[]) => list.reduce<Update | undefined>(merge, undefined);
        expect(end(shuffled)).toEqual(end(arrived));
        expect(end(arrived)?.version).toBe(Math.max(...arrived.map(({ version }) => version)));
      }),
    );
  });
});

describe('a version as text', () => {
  it('is parsed exactly, and other text is rejected', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (version) => {
        expect(parseVersion(String(version))).toBe(version);
        expect(parseVersion(`0${version}`)).toBeUndefined();
        expect(parseVersion(`-${version}`)).toBeUndefined();
        expect(parseVersion(`${version}.5`)).toBeUndefined();
      }),
    );
    expect(parseVersion(String(2 ** 53))).toBeUndefined();
  });
});
