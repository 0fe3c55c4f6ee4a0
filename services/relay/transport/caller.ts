import type { HttpRequest, HttpResponse } from '../engine/engine.ts';
import type { Caller } from './transport.ts';

const decoder = new TextDecoder();

const TRIES = /(?:^|&)tries=([1-9])(?:&|$)/;

/**
 * Reads the source of a request. Use it only while the request is valid: in the handler that received it.
 * @param triesLeft see `Caller`; 0 for requests that are never refused for rebalancing
 */
export function readCaller(res: HttpResponse, req: HttpRequest, triesLeft = 0): Caller {
  return {
    triesLeft,
    // Both are read on demand: most relays do not limit addresses.
    get address() {
      return decoder.decode(res.getRemoteAddressAsText());
    },
    get forwardedFor() {
      return readHeader(req, 'x-forwarded-for');
    },
    origin: req.getHeader('origin'),
    host: req.getHeader('host'),
  };
}

/** Reads the parameter `tries` of a query; 0 without a valid one. */
export function parseTriesLeft(query: string): number {
  return Number(TRIES.exec(query)?.[1] ?? 0);
}

/**
 * Joins all lines of a header (RFC 9110, section 5.3). `getHeader` returns only the first one, which comes from the client
 * if a proxy adds a line of its own.
 */
function readHeader(req: HttpRequest, name: string): string {
  const lines: string[] = [];
  req.forEach((header, line) => {
    if (header === name) lines.push(line);
  });
  return lines.join(',');
}
