import { describe, expect, it } from 'vitest';
import { coloursOf, contrast, readCss } from '../../support/colours.ts';

const [light, dark] = coloursOf(readCss('stats/public/stats.css'));

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s colours of the statistics pages', (_, colours) => {
  const of = (name: string) => colours[name] ?? expect.unreachable(`colour ${name} is missing`);

  it.each([
    ['ink', ['ground', 'card', 'hover', 'notice']],
    ['faint', ['ground', 'card', 'hover']],
    ['accent', ['ground', 'card']],
    ['good', ['card', 'hover']],
    ['bad', ['card', 'hover', 'notice']],
    ['warn', ['card', 'hover', 'caution']],
    ['on-accent', ['accent', 'accent-strong']],
    ['ground', ['ink']],
  ])('make %s readable on %s', (ink, grounds) => {
    for (const ground of grounds) expect(contrast(of(ink), of(ground))).toBeGreaterThanOrEqual(4.5);
  });

  it('make bars and borders of fields visible', () => {
    for (const bar of ['chat', 'webhook', 'redis', 'relay', 'other', 'bad']) {
      for (const ground of ['card', 'hover']) expect(contrast(of(bar), of(ground)), bar).toBeGreaterThanOrEqual(3);
    }
    for (const ground of ['ground', 'card']) expect(contrast(of('field'), of(ground))).toBeGreaterThanOrEqual(3);
  });
});
