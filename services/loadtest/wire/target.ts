import { isIP } from 'node:net';

/** Where a relay is. */
export interface Target {
  /** Its name or address. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** What goes before the relay's own paths; without a slash at its end. */
  readonly basePath: string;
  /** What a request shows as its host. */
  readonly authority: string;
  /** What its certificate must be for; undefined where that is its address. */
  readonly serverName: string | undefined;
}

/** Reads the address of a relay: `http`, `https`, `ws` or `wss`. Undefined where it is none. */
export function parseTarget(text: string): Target | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isTls = url.protocol === 'https:' || url.protocol === 'wss:';
  if (!isTls && url.protocol !== 'http:' && url.protocol !== 'ws:') return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port: Number(url.port || (isTls ? 443 : 80)),
    isTls,
    basePath: url.pathname.replace(/\/+$/, ''),
    authority: url.host,
    serverName: isIP(host) === 0 ? host : undefined,
  };
}

/** Whether a target is on this machine, so that clients may come from any address of 127.0.0.0/8. */
export function isLoopback({ host }: Target): boolean {
  return isIP(host) === 4 && host.startsWith('127.');
}
