/** Formats a whole number with commas. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Formats milliseconds with a suitable unit. */
export function duration(ms: number): string {
  if (ms >= 60_000) return `${(ms / 60_000).toFixed(1)} min`;
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/** Formats bytes with a suitable unit. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

/** Formats a share from 0 to 1 as a percentage with at most three decimals. */
export function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}

/** Formats a share from 0 to 1 as a whole percentage. */
export function wholePercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Formats a round number of milliseconds for an axis. */
export function tickDuration(ms: number): string {
  if (ms === 0) return '0';
  const short = (value: number) => String(Number(value.toPrecision(3)));
  if (ms < 1) return `${short(ms * 1000)} µs`;
  if (ms < 1000) return `${short(ms)} ms`;
  return ms < 600_000 ? `${short(ms / 1000)} s` : `${short(ms / 60_000)} min`;
}

/** Formats a round number for an axis, such as 20K or 1.5M. */
export function compact(value: number): string {
  return value.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 });
}
