import type { RequestHandler } from 'express';
import { AppError } from '../errors.ts';

/**
 * Creates what lets only these methods pass, and answers `method_not_allowed` with `Allow` to any other. HEAD
 * does not come along with GET, as Express would have it: where a GET has an effect, it must be asked for.
 */
export function allowMethods(...methods: readonly string[]): RequestHandler {
  return (request, response, next) => {
    if (methods.includes(request.method)) return next();
    response.setHeader('Allow', methods.join(', '));
    throw new AppError('method_not_allowed');
  };
}
