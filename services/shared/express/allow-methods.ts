import type { RequestHandler } from 'express';
import { AppError } from '../errors.ts';

/**
 * Creates middleware that allows only these methods, and sets `Allow` for any other. Unlike in Express, GET does not include
 * HEAD: name both.
 *
 * @throws {AppError} method_not_allowed
 */
export function allowMethods(...methods: readonly string[]): RequestHandler {
  return (request, response, next) => {
    if (methods.includes(request.method)) return next();
    response.setHeader('Allow', methods.join(', '));
    throw new AppError('method_not_allowed', `This path allows ${methods.join(' and ')}`);
  };
}
