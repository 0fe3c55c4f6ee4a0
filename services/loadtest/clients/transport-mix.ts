import type { TransportName } from '../../shared/protocol/transport-name.ts';

/** The option values of `--transports`; their order decides which clients get which transport. */
const OPTION_VALUES = {
  websocket: 'ws',
  legacy: 'update_check',
  sse: 'sse',
  'long-poll': 'longpoll',
} as const satisfies Record<TransportName, string>;

const TRANSPORTS = Object.keys(OPTION_VALUES) as readonly TransportName[];

/** The share of the clients that uses each transport, from 0 to 1; the shares add up to 1. */
export type TransportMix = Readonly<Record<TransportName, number>>;

/** Parses the weights of `--transports`, such as `ws=70,sse=30`; undefined if invalid. */
export function parseTransportMix(text: string): TransportMix | undefined {
  const mix: Record<TransportName, number> = { websocket: 0, legacy: 0, sse: 0, 'long-poll': 0 };
  for (const part of text.split(',')) {
    const [, value, weight] = /^\s*([a-z_]+)=(\d{1,6}(?:\.\d{1,3})?)%?\s*$/.exec(part) ?? [];
    const name = TRANSPORTS.find((candidate) => OPTION_VALUES[candidate] === value);
    if (weight === undefined || name === undefined) return undefined;
    mix[name] = Number(weight);
  }
  const sum = TRANSPORTS.reduce((total, name) => total + mix[name], 0);
  if (sum === 0) return undefined;
  for (const name of TRANSPORTS) mix[name] /= sum;
  return mix;
}

/** Formats a mix in the option values of `--transports`, without unused transports. */
export function formatTransportMix(mix: TransportMix, formatShare: (share: number) => string): string {
  return TRANSPORTS.filter((name) => mix[name] > 0)
    .map((name) => `${OPTION_VALUES[name]} ${formatShare(mix[name])}`)
    .join(', ');
}

/** The fractional part of the golden ratio: its multiples are evenly distributed for any number of clients. */
const GOLDEN = 0.618_033_988_749_895;

/** Maps client `n` to a number from 0 to 1, evenly distributed over any run of clients; independent for each salt. */
export function evenSpread(n: number, salt: number): number {
  return (n * GOLDEN + salt * 0.377) % 1;
}

/** Returns the transport of client `n`. */
export function transportOf(n: number, mix: TransportMix): TransportName {
  let point = evenSpread(n, 1);
  for (const name of TRANSPORTS) {
    point -= mix[name];
    if (point < 0) return name;
  }
  return TRANSPORTS.find((name) => mix[name] > 0) ?? 'websocket'; // the shares may add up to slightly less than 1
}
