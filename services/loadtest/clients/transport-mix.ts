/** The ways in which clients listen. */
export const TRANSPORTS = ['ws', 'update_check', 'sse', 'longpoll'] as const;

export type TransportName = (typeof TRANSPORTS)[number];

/** The share of the clients that each transport gets; they add up to 1. */
export type Mix = Readonly<Record<TransportName, number>>;

/** Reads `ws=70,sse=30`, in whatever unit; undefined where it is none. */
export function parseMix(text: string): Mix | undefined {
  const mix: Record<TransportName, number> = { ws: 0, update_check: 0, sse: 0, longpoll: 0 };
  for (const part of text.split(',')) {
    const [, name = '', weight] = /^\s*([a-z_]+)=(\d{1,6}(?:\.\d{1,3})?)%?\s*$/.exec(part) ?? [];
    if (weight === undefined || !Object.hasOwn(mix, name)) return undefined;
    mix[name as TransportName] = Number(weight);
  }
  const sum = TRANSPORTS.reduce((total, name) => total + mix[name], 0);
  if (sum === 0) return undefined;
  for (const name of TRANSPORTS) mix[name] /= sum;
  return mix;
}

/** The golden ratio's part behind the point: its multiples spread evenly, however many there are. */
const GOLDEN = 0.618_033_988_749_895;

/** A number from 0 to 1 for the n-th client, evenly spread for any run of clients; another one for each salt. */
export function evenly(n: number, salt: number): number {
  return (n * GOLDEN + salt * 0.377) % 1;
}

/** Which transport the n-th client takes. */
export function transportOf(n: number, mix: Mix): TransportName {
  let point = evenly(n, 1);
  for (const name of TRANSPORTS) {
    point -= mix[name];
    if (point < 0) return name;
  }
  return TRANSPORTS.find((name) => mix[name] > 0) ?? 'ws'; // a sum that rounding left below 1
}
