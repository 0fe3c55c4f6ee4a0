import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** The address of a relay. */
export interface Target {
  /** Host name or IP address. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** The path in front of the relay's own paths, without a trailing slash. */
  readonly basePath: string;
  /** The value of the `Host` header. */
  readonly authority: string;
  /** The server name for TLS; undefined for an IP address. */
  readonly serverName: string | undefined;
}

/** Parses the URL of a relay (`http`, `https`, `ws` or `wss`); undefined if invalid. */
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

/** Tells whether a target is on the loopback interface, so that clients may use any source address in 127.0.0.0/8. */
export function isLoopback({ host }: Target): boolean {
  return isIP(host) === 4 && host.startsWith('127.');
}

/**
 * Resolves host names once for all clients: returns one target per address of a name, IPv4 only if it has any. Rejects
 * if a name cannot be resolved.
 */
export async function resolveTargets(targets: readonly Target[]): Promise<readonly Target[]> {
  const resolved = await Promise.all(
    targets.map(async (target) => {
      const all = await lookup(target.host, { all: true });
      const v4 = all.filter(({ family }) => family === 4);
      return (v4.length > 0 ? v4 : all).map(({ address }) => ({ ...target, host: address }));
    }),
  );
  return resolved.flat();
}
