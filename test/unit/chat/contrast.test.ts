import { describe, expect, it } from 'vitest';
import { coloursOf, contrast, readCss } from '../../support/colours.ts';

const css = readCss('chat/public/chat.css');

const [light, dark] = coloursOf(css);

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s colours of the chat', (_, colours: Record<string, string>) => {
  const of = (name: string) => colours[name] ?? expect.unreachable(`colour ${name} is missing`);

  it.each([
    ['ink', ['ground', 'card', 'notice', 'flash']],
    ['faint', ['ground', 'card', 'flash']],
    ['good', ['card']],
    ['wait', ['card']],
    ['bad', ['card']],
    ['on-accent', ['accent', 'accent-strong']],
  ])('make %s readable on %s', (ink, grounds) => {
    for (const ground of grounds) expect(contrast(of(ink), of(ground))).toBeGreaterThanOrEqual(4.5);
  });

  it('make borders of fields and the focus visible', () => {
    for (const ground of ['ground', 'card']) {
      expect(contrast(of('field'), of(ground))).toBeGreaterThanOrEqual(3);
      expect(contrast(of('accent'), of(ground))).toBeGreaterThanOrEqual(3);
    }
  });
});

describe('the colours of avatars', () => {
  it('make the initials readable', () => {
    const hues = [...css.matchAll(/\.hue-\d \{\s*background: (#[0-9a-f]{6})/g)].map(([, colour = '']) => colour);
    expect(hues.length).toBeGreaterThan(1);
    for (const hue of hues) expect(contrast(hue, '#ffffff')).toBeGreaterThanOrEqual(4.5);
  });
});
