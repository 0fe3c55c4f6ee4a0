import { describe, expect, it } from 'vitest';
import { parseWaitParameters } from '../../../services/webhook/wait-parameters.ts';

const parse = (query: string) => parseWaitParameters(new URLSearchParams(query));

describe('parseWaitParameters', () => {
  it.each([
    ['wait=delivered', 5000],
    ['wait=delivered&timeout=100ms', 100],
    ['timeout=30s&wait=delivered&other=1', 30_000],
  ])('reads %s', (query, timeoutMs) => {
    expect(parse(query)).toEqual({ timeoutMs });
  });

  it.each(['', 'other=1'])('does not wait with %j', (query) => {
    expect(parse(query)).toBeUndefined();
  });

  it.each([
    'wait=',
    'wait=told',
    'wait=delivered&wait=delivered',
    'timeout=5s',
    'wait=delivered&timeout=',
    'wait=delivered&timeout=5',
    'wait=delivered&timeout=0',
    'wait=delivered&timeout=99ms',
    'wait=delivered&timeout=31s',
    'wait=delivered&timeout=-1s',
    'wait=delivered&timeout=5s&timeout=5s',
  ])('rejects %s', (query) => {
    expect(() => parse(query)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});
