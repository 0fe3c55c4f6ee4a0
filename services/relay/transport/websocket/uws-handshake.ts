import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { AppError } from '../../../shared/errors.ts';
import { sendProblem } from '../http/uws-problem.ts';

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/**
 * Answers the key of a client's handshake. uWebSockets.js looks at the key alone; whoever stands in between decides
 * by the other headers whether this is an upgrade, so they must all say so (RFC 6455, section 4.2.1). Throws
 * `upgrade_required` or `invalid_request`.
 */
export function readHandshake(req: HttpRequest): string {
  const isUpgrade = names(req.getHeader('upgrade'), 'websocket') && names(req.getHeader('connection'), 'upgrade');
  if (!isUpgrade || req.getHeader('sec-websocket-version') !== '13') throw new AppError('upgrade_required');
  const key = req.getHeader('sec-websocket-key');
  if (!KEY.test(key)) throw new AppError('invalid_request', 'Sec-WebSocket-Key is not 16 bytes in base64');
  return key;
}

/** What an upgrade would be (RFC 6455, section 4.4). */
export const UPGRADE_HEADERS = { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };

/** Answers an upgrade with an error. */
export function refuseUpgrade(res: HttpResponse, error: AppError): void {
  sendProblem(res, error, error.code === 'upgrade_required' ? UPGRADE_HEADERS : {});
}

/** Whether a list of words between commas has this one, in whatever case. */
function names(list: string, word: string): boolean {
  return list.split(',').some((item) => item.trim().toLowerCase() === word);
}
