import { expect, it } from 'vitest';
import { addReasons, createReasons } from '../../../../services/loadtest/measure/figures.ts';

it('reasons are counted by any text, also by the name of a property that every object has', () => {
  const reasons = createReasons();
  for (const reason of ['constructor', 'toString', '__proto__', '__proto__']) {
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  const sum = addReasons([reasons, JSON.parse(JSON.stringify(reasons))]);
  expect(Object.entries(sum)).toEqual([
    ['constructor', 2],
    ['toString', 2],
    ['__proto__', 4],
  ]);
});
