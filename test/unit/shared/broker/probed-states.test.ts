import { expect, it } from 'vitest';
import type { PartitionState, Witness } from '../../../../services/shared/broker/broker.ts';
import { ProbedStates } from '../../../../services/shared/broker/redis/probed-states.ts';

const STATE: PartitionState = {
  epoch: 'e',
  floor: 1,
  raiseId: 'r',
  isFirstFloor: false,
  last: 9,
  base: 0,
  retainedSince: 0,
  completeAfter: 3,
};
const KNOWN: Witness = { epoch: 'e', version: 9, raiseId: 'r' };

function statesOf(servers: Readonly<Record<number, string>>): ProbedStates {
  const probed = new ProbedStates();
  for (const [partition, server] of Object.entries(servers)) probed.learn(Number(partition), { server, state: STATE });
  return probed;
}

it('names the server that returned the states of all partitions', () => {
  expect(
    statesOf({ 0: 'a', 1: 'a' }).serverOf([
      [0, KNOWN],
      [1, KNOWN],
    ]),
  ).toBe('a');
});

it.each<[string, Witness]>([
  ['another epoch', { ...KNOWN, epoch: 'f' }],
  ['a newer version', { ...KNOWN, version: 10 }],
  ['an older version', { ...KNOWN, version: 8 }],
  ['another raise', { ...KNOWN, raiseId: 's' }],
  ['no raise', { epoch: 'e', version: 9 }],
])('names none if one of the callers knows %s', (_, witness) => {
  expect(
    statesOf({ 0: 'a', 1: 'a' }).serverOf([
      [0, KNOWN],
      [1, witness],
    ]),
  ).toBe('');
});

it('names none for partitions of several servers, for one that was not probed, and for none', () => {
  expect(
    statesOf({ 0: 'a', 1: 'b' }).serverOf([
      [0, KNOWN],
      [1, KNOWN],
    ]),
  ).toBe('');
  expect(
    statesOf({ 0: 'a' }).serverOf([
      [0, KNOWN],
      [1, KNOWN],
    ]),
  ).toBe('');
  expect(statesOf({}).serverOf([[0, KNOWN]])).toBe('');
  expect(statesOf({ 0: 'a' }).serverOf([])).toBe('');
});

it('returns the last state of a partition', () => {
  const probed = statesOf({ 0: 'a' });
  probed.learn(0, { server: 'a', state: { ...STATE, last: 10 } });
  expect([probed.of(0)?.last, probed.of(1)]).toEqual([10, undefined]);
});
