import { type AppError, ERRORS } from '../errors.ts';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** An error as RFC 9457 wants it, with our stable `code`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
}

/** Describes an error to the outside: nothing but its code and what was written for people. */
export function toProblem(error: AppError): Problem {
  const { status, title } = ERRORS[error.code];
  return {
    type: `urn:heliograph:error:${error.code}`,
    title,
    status,
    code: error.code,
    ...(error.message === title ? {} : { detail: error.message }),
  };
}
