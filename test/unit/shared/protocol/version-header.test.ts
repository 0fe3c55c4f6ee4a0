import { describe, expect, it } from 'vitest';
import { formatVersions, parseVersions } from '../../../../services/shared/protocol/version-header.ts';

const VERSIONS = [
  { topic: 'chat', version: 1790000000000002, previous: 1790000000000001 },
  { topic: 'a:1/b', version: 20, previous: undefined },
];

describe('the header of versions', () => {
  it('lists each topic with its version, and with the one before if it is known', () => {
    expect(formatVersions(VERSIONS)).toBe('chat=1790000000000002;previous=1790000000000001, a:1/b=20');
  });

  it('is parsed to what was formatted', () => {
    expect(parseVersions(formatVersions(VERSIONS))).toEqual(VERSIONS);
  });

  it('may have spaces around its parts', () => {
    expect(parseVersions('  chat=30;  previous=20  ,a=1 ')).toEqual([
      { topic: 'chat', version: 30, previous: 20 },
      { topic: 'a', version: 1, previous: undefined },
    ]);
  });

  it.each([
    '',
    'chat',
    'chat=',
    '=1',
    'x chat=1',
    'chat=1 x',
    'chat=1;previous=',
    'chat=1,',
    'chat=12345678901234567',
    null,
  ])('contains nothing if it is malformed: %j', (value) => {
    expect(parseVersions(value)).toEqual([]);
  });
});
