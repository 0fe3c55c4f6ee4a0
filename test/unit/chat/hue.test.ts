import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HUES, hueOf, initialOf } from '../../../services/chat/hue.ts';

describe('the colour of a name', () => {
  it('is always the same, and one of those in the style sheet', () => {
    const css = readFileSync(new URL('../../../services/chat/public/chat.css', import.meta.url), 'utf8');
    const hues = new Set(['Ada', 'Grace', 'مريم', '👩‍🚀', 'x'.repeat(40), ''].map(hueOf));
    for (const hue of hues) expect(css).toContain(`.hue-${hue} {`);
    expect(hueOf('Ada')).toBe(hueOf('Ada'));
    expect([...css.matchAll(/\.hue-\d/g)]).toHaveLength(HUES);
  });

  it('differs between names', () => {
    const names = Array.from({ length: 100 }, (_, index) => `name ${index}`);
    expect(new Set(names.map(hueOf)).size).toBe(HUES);
  });
});

describe('the initial of a name', () => {
  it.each([
    ['ada', 'A'],
    ['<b>Mallory', 'B'],
    ['…7', '7'],
    ['👩', '👩'],
    ['', ''],
  ])('of %j is %j', (name, initial) => {
    expect(initialOf(name)).toBe(initial);
  });
});
