import { ABUSE, DRAIN, FORBIDDEN, FULL, TOO_FAST, UNAUTHORIZED } from '../shared/protocol/close-codes.ts';
import { ABNORMAL_CLOSURE } from './transport.ts';

/** What the statuses of a relay's refusals are as close codes. */
const CLOSE_CODE_OF: Readonly<Record<number, number>> = {
  400: ABUSE,
  401: UNAUTHORIZED,
  403: FORBIDDEN,
  429: TOO_FAST,
  503: FULL,
};

/**
 * Reads a refusal (RFC 9457): its stable code, undefined where it was not a relay that answered, and the close code
 * that means the same.
 */
export async function readProblem(response: Response): Promise<[code: string | undefined, closeCode: number]> {
  const code = (await response.json().catch(() => undefined))?.code;
  if (code === 'draining') return [code, DRAIN];
  return [code, (code && CLOSE_CODE_OF[response.status]) || ABNORMAL_CLOSURE];
}

/** Shows a token where there is one: not in the URL, which proxies write down. */
export function tokenHeader(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}
