import { expect } from 'vitest';

/** Expects a documented error with this status and code, and without internal details. */
export async function expectProblem(response: Response, status: number, code: string): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  const problem = await response.json();
  expect(problem).toMatchObject({ type: `urn:heliograph:error:${code}`, title: expect.any(String), status, code });
  expect(Object.keys(problem).filter((key) => !['type', 'title', 'status', 'code', 'detail'].includes(key))).toEqual(
    [],
  );
}
