import { ABUSE, DRAIN, FORBIDDEN, FULL, REBALANCING, TOO_FAST, UNAUTHORIZED } from '../shared/protocol/close-codes.ts';
import { ABNORMAL_CLOSURE } from './transport.ts';

const CLOSE_CODE_OF_STATUS: Readonly<Record<number, number>> = {
  400: ABUSE,
  401: UNAUTHORIZED,
  403: FORBIDDEN,
  429: TOO_FAST,
  503: FULL,
};

/**
 * Reads an error response (RFC 9457). Returns its `code`, undefined unless a relay sent it, and the WebSocket close
 * code with the same meaning.
 */
export async function readProblem(response: Response): Promise<[code: string | undefined, closeCode: number]> {
  const code = (await response.json().catch(() => undefined))?.code;
  if (code === 'draining') return [code, DRAIN];
  if (code === 'rebalancing') return [code, REBALANCING];
  return [code, (code && CLOSE_CODE_OF_STATUS[response.status]) || ABNORMAL_CLOSURE];
}

/** Returns the header that carries the token, if any. URLs carry none, because proxies log them. */
export function tokenHeader(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}
