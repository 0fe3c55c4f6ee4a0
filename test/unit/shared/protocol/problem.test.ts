import { describe, expect, it } from 'vitest';
import { AppError } from '../../../../services/shared/errors.ts';
import { toProblem } from '../../../../services/shared/protocol/problem.ts';

describe('toProblem', () => {
  it('describes an error by its code', () => {
    expect(toProblem(new AppError('not_found'))).toEqual({
      type: 'urn:heliograph:error:not_found',
      title: 'No resource has this path',
      status: 404,
      code: 'not_found',
    });
  });

  it('adds the detail if there is one, and never the cause', () => {
    const error = new AppError('invalid_request', 'topic must be a string', { cause: new Error('hunter2') });
    expect(toProblem(error)).toMatchObject({ status: 400, detail: 'topic must be a string' });
    expect(JSON.stringify(toProblem(error))).not.toContain('hunter2');
  });
});
