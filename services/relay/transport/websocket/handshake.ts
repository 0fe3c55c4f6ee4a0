import { AppError } from '../../../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../../engine/engine.ts';
import { sendProblem } from '../http/http-response.ts';

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/**
 * Validates a client's handshake and returns its key. uWebSockets.js checks only the key, but proxies decide by the other
 * headers whether a request is an upgrade, so all of them must be valid (RFC 6455, section 4.2.1).
 * @throws {AppError} `upgrade_required` or `invalid_request`
 */
export function readHandshake(req: HttpRequest): string {
  const isUpgrade = includes(req.getHeader('upgrade'), 'websocket') && includes(req.getHeader('connection'), 'upgrade');
  if (!isUpgrade || req.getHeader('sec-websocket-version') !== '13') throw new AppError('upgrade_required');
  const key = req.getHeader('sec-websocket-key');
  if (!KEY.test(key)) throw new AppError('invalid_request', 'Sec-WebSocket-Key is not 16 bytes in base64');
  return key;
}

/** Headers of a response that demands an upgrade (RFC 6455, section 4.4). */
export const UPGRADE_HEADERS = { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };

/** Ends an upgrade request with an error. */
export function refuseUpgrade(res: HttpResponse, error: AppError): void {
  sendProblem(res, error, error.code === 'upgrade_required' ? UPGRADE_HEADERS : {});
}

/** Whether a comma-separated header contains a token, in any case. */
function includes(list: string, token: string): boolean {
  return list.split(',').some((item) => item.trim().toLowerCase() === token);
}
