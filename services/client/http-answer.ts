import { CLOSE_CODES } from '../shared/protocol/close-codes.ts';
import { LOST } from './transport.ts';

/** What the statuses of a relay's refusals are as close codes. */
const CLOSE_CODE_OF: Readonly<Record<number, number>> = {
  400: CLOSE_CODES.abuse,
  401: CLOSE_CODES.unauthorized,
  403: CLOSE_CODES.forbidden,
  429: CLOSE_CODES.tooFast,
  503: CLOSE_CODES.full,
};

/**
 * Reads a refusal (RFC 9457): its stable code, undefined where it was not a relay that answered, and the close code
 * that means the same.
 */
export async function readRefusal(response: Response): Promise<[code: string | undefined, closeCode: number]> {
  const code = (await response.json().catch(() => undefined))?.code;
  if (code === 'draining') return [code, CLOSE_CODES.drain];
  return [code, (code && CLOSE_CODE_OF[response.status]) || LOST];
}

/** Shows a token where there is one: not in the URL, which proxies write down. */
export function tokenHeader(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}
