const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES_PER_UNIT: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Parses a duration such as `500ms`, `4s`, `2m` or `1h` to milliseconds; undefined if it is invalid. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(text, MS_PER_UNIT);
}

/** Parses a size such as `512B`, `64KiB`, `1MiB` or `1GiB` to bytes; undefined if it is invalid. */
export function parseBytes(text: string): number | undefined {
  return parseQuantity(text, BYTES_PER_UNIT);
}

/** A bare `0` needs no unit. */
function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^(\d{1,12})([A-Za-z]*)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  if (unit === '') return Number(digits) === 0 ? 0 : undefined;
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? undefined : Number(digits) * factor;
}
