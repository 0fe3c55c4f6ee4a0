import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP, isIPv4 } from 'node:net';

/** Returns the address of the client, from the address of the socket and the header `X-Forwarded-For`. */
export type ClientAddressReader = (address: string, forwardedFor: string) => string;

/** Returns `X-Forwarded-For`, of which Node joins several lines; empty if it is missing. */
export function forwardedFor(headers: IncomingHttpHeaders): string {
  return String(headers['x-forwarded-for'] ?? '');
}

/** Parses addresses and subnets such as `10.0.0.0/8`. Returns undefined if one is invalid. */
export function parseProxies(texts: readonly string[]): BlockList | undefined {
  const proxies = new BlockList();
  for (const text of texts) {
    const [address = '', bits, ...rest] = text.split('/');
    const version = isIP(address);
    const longest = version === 4 ? 32 : 128;
    const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (version === 0 || rest.length > 0 || !(prefix <= longest)) return undefined;
    proxies.addSubnet(address, prefix, version === 4 ? 'ipv4' : 'ipv6');
  }
  return proxies;
}

/**
 * Creates a reader that returns the rightmost address in `X-Forwarded-For` that is not a trusted proxy: any client can
 * forge the ones left of it. IPv6 addresses are reduced to their /64, which is what a provider assigns to one customer.
 *
 * @param ignored called with the address of each socket that sends the header without being a trusted proxy
 */
export function createClientAddressReader(
  proxies: BlockList,
  ignored: (address: string) => void = () => {},
): ClientAddressReader {
  const isProxy = (address: string) => proxies.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  return (address, forwardedFor) => {
    let client = normalize(address);
    if (forwardedFor !== '' && !isProxy(client)) ignored(client);
    const hops = forwardedFor === '' ? [] : forwardedFor.split(',');
    while (hops.length > 0 && isProxy(client)) {
      const next = normalize(hops.pop()?.trim() ?? '');
      if (isIP(next) === 0) break;
      client = next;
    }
    return isIPv4(client) ? client : firstHalf(client);
  };
}

/** Removes brackets, port, and the prefix of an IPv4-mapped IPv6 address. */
function normalize(text: string): string {
  const address = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? text.replace(/^([\d.]+):\d+$/, '$1');
  const mapped = /^(?:::|(?:0{1,4}:){5})ffff:(.+)$/i.exec(address)?.[1];
  if (mapped === undefined) return address;
  if (isIPv4(mapped)) return mapped;
  const [high = 0, low = 0] = mapped.split(':').map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function firstHalf(address: string): string {
  if (isIP(address) === 0) return address;
  const [left = '', right] = address.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? [] : Array(8 - head.length - tail.length).fill('0');
  const groups = [...head, ...zeros, ...tail].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
