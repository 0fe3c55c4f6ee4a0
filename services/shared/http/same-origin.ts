import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../errors.ts';

/**
 * Lets pass what a page of ours sends, and what is no browser: those say nothing of where they come from. Throws
 * `origin_forbidden` where a page of another site makes the browser of a visitor write. Old browsers, and all of
 * them on plain HTTP from another machine, tell it by `Origin` alone.
 */
export function requireSameOrigin(headers: IncomingHttpHeaders): void {
  const { 'sec-fetch-site': site, origin, host } = headers;
  if (site === undefined ? origin === undefined || isOf(origin, host) : site === 'same-origin' || site === 'none')
    return;
  throw new AppError('origin_forbidden', 'A page of another site may not write here');
}

function isOf(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
