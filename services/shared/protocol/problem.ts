import { type AppError, ERRORS } from '../errors.ts';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** An error in the format of RFC 9457, with the stable `code` of Heliograph. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
}

/** Formats an error for a response: its code, title and detail, and nothing else. */
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
