import { isIP } from 'node:net';
import type { EnvReader } from '../config/env-reader.ts';

/** Returns whether a request with this `Host` header (empty if missing) may be served. */
export type HostRule = (host: string) => boolean;

/**
 * Reads the names under which clients may call this process; by default all. Addresses, `localhost` and a missing `Host`
 * always pass: a page that points a name of its own here (DNS rebinding) cannot send them.
 */
export function readAllowedHosts(env: EnvReader): HostRule {
  const names = env.list('ALLOWED_HOSTS').map((name) => name.toLowerCase());
  if (names.some((name) => !/^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name))) {
    env.fail('ALLOWED_HOSTS', 'must hold host names without ports, such as push.example.org or *.example.org');
  }
  if (names.length === 0) return () => true;
  const exact = new Set(['', 'localhost', ...names]);
  const suffixes = names.filter((name) => name.startsWith('*.')).map((name) => name.slice(1));
  return (host) => {
    const name = nameOf(host);
    return exact.has(name) || isIP(name) !== 0 || suffixes.some((suffix) => name.endsWith(suffix));
  };
}

/** Removes the port, the brackets of an IPv6 address, and the final dot of a complete name. */
function nameOf(host: string): string {
  const name = /^\[(.*)\](?::\d*)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, '').replace(/\.$/, '');
  return name.toLowerCase();
}
