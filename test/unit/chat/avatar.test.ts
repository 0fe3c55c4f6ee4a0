import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HUES, hueOf, initialOf } from '../../../services/chat/avatar.ts';

describe('hueOf', () => {
  it('returns the same colour for the same name, one that the style sheet has', () => {
    const css = readFileSync(new URL('../../../services/chat/public/chat.css', import.meta.url), 'utf8');
    const hues = new Set(['Ada', 'Grace', 'مريم', '👩‍🚀', 'x'.repeat(40), ''].map(hueOf));
    for (const hue of hues) expect(css).toContain(`.hue-${hue} {`);
    expect(hueOf('Ada')).toBe(hueOf('Ada'));
    expect([...css.matchAll(/\.hue-\d/g)]).toHaveLength(HUES);
  });

  it('uses every colour', () => {
    const names = Array.from({ length: 100 }, (_, index) => `name ${index}`);
    expect(new Set(names.map(hueOf)).size).toBe(HUES);
  });
});

describe('initialOf', () => {
  it.each([
    ['ada', 'A'],
    ['<b>Mallory', 'B'],
    ['…7', '7'],
    ['👩', '👩'],
    ['', ''],
  ])('of %j returns %j', (name, initial) => {
    expect(initialOf(name)).toBe(initial);
  });
});
