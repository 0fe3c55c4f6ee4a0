import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('../../../services/chat/public/chat.css', import.meta.url), 'utf8');

/** The colours of the style sheet, light and dark. */
const [light = {}, dark = {}] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, block = '']) =>
  Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map(([, name, colour]) => [name, colour])),
);

/** Relative luminance, as WCAG 2.2 defines it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dim = 0, bright = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s colours', (_, colours: Record<string, string>) => {
  const of = (name: string) => colours[name] ?? expect.unreachable(`there is no colour ${name}`);

  it.each([
    ['ink', ['ground', 'card', 'notice', 'flash']],
    ['faint', ['ground', 'card', 'flash']],
    ['good', ['card']],
    ['wait', ['card']],
    ['bad', ['card']],
    ['on-accent', ['accent', 'accent-strong']],
  ])('let everybody read %s on %s', (ink, grounds) => {
    for (const ground of grounds) expect(contrast(of(ink), of(ground))).toBeGreaterThanOrEqual(4.5);
  });

  it('let everybody see where fields end, and what has the focus', () => {
    for (const ground of ['ground', 'card']) {
      expect(contrast(of('field'), of(ground))).toBeGreaterThanOrEqual(3);
      expect(contrast(of('accent'), of(ground))).toBeGreaterThanOrEqual(3);
    }
  });
});

describe('the colours of names', () => {
  it('let everybody read the initials', () => {
    const hues = [...css.matchAll(/\.hue-\d \{\s*background: (#[0-9a-f]{6})/g)].map(([, colour = '']) => colour);
    expect(hues.length).toBeGreaterThan(1);
    for (const hue of hues) expect(contrast(hue, '#ffffff')).toBeGreaterThanOrEqual(4.5);
  });
});
