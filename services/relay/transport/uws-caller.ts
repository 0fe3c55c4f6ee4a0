import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Caller } from './transport.ts';

const decoder = new TextDecoder();

/** Reads who wants to connect; only valid while the request is. */
export function readCaller(res: HttpResponse, req: HttpRequest): Caller {
  return {
    address: decoder.decode(res.getRemoteAddressAsText()),
    // Read when it is asked for: most relays limit no addresses.
    get forwardedFor() {
      return readLines(req, 'x-forwarded-for');
    },
    origin: req.getHeader('origin'),
    host: req.getHeader('host'),
  };
}

/**
 * All lines of a header as one (RFC 9110, section 5.3). `getHeader` knows the first line only, which is the client's
 * own where a proxy adds one below.
 */
function readLines(req: HttpRequest, name: string): string {
  const lines: string[] = [];
  req.forEach((header, line) => {
    if (header === name) lines.push(line);
  });
  return lines.join(',');
}
