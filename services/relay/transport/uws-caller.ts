import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Caller } from './transport.ts';

const decoder = new TextDecoder();

/** Reads who wants to connect; only valid while the request is. */
export function readCaller(res: HttpResponse, req: HttpRequest): Caller {
  return {
    address: decoder.decode(res.getRemoteAddressAsText()),
    forwardedFor: req.getHeader('x-forwarded-for'),
    origin: req.getHeader('origin'),
    host: req.getHeader('host'),
  };
}
