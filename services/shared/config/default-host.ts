import { networkInterfaces } from 'node:os';

/**
 * Returns the address to listen on for clients of any kind: `::`, which includes IPv4, or `0.0.0.0` on a machine without
 * IPv6, as many containers are.
 */
export function defaultHost(interfaces: Readonly<ReturnType<typeof networkInterfaces>> = networkInterfaces()): string {
  const hasIpv6 = Object.values(interfaces).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'));
  return hasIpv6 ? '::' : '0.0.0.0';
}
