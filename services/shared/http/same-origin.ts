import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../errors.ts';

/**
 * Rejects requests that a browser makes for a page of another origin. Requests without `Sec-Fetch-Site` and `Origin` pass,
 * because they do not come from a browser. Browsers omit `Sec-Fetch-Site` on plain HTTP, except from localhost.
 *
 * @throws {AppError} origin_forbidden
 */
export function requireSameOrigin(headers: IncomingHttpHeaders): void {
  const { 'sec-fetch-site': site, origin, host } = headers;
  if (site === undefined ? origin === undefined || isOf(origin, host) : site === 'same-origin' || site === 'none')
    return;
  throw new AppError('origin_forbidden', 'Pages of other sites may not send this request');
}

function isOf(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
