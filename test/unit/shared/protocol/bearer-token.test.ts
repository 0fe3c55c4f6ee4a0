import { describe, expect, it } from 'vitest';
import { parseBearerToken } from '../../../../services/shared/protocol/bearer-token.ts';

describe('a bearer token', () => {
  it.each(['Bearer a.b-c', 'bearer a.b-c', 'BEARER   a.b-c', 'Bearer a.b-c  '])('is read from %j', (header) => {
    expect(parseBearerToken(header)).toBe('a.b-c');
  });

  it.each([
    undefined,
    '',
    'a.b-c',
    'Bearer',
    'Bearer ',
    'Bearera.b-c',
    'Basic a.b-c',
    'Bearer a b',
    'x Bearer a.b-c',
    'Bearer a.b-c, x',
  ])('is missing in %j', (header) => {
    expect(parseBearerToken(header)).toBeUndefined();
  });
});
