import { type Html, html } from '../../shared/http/html.ts';

/** A duration for people, from microseconds. */
export function formatUs(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 10_000) return `${(us / 1000).toFixed(2)} ms`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 100_000 ? 1 : 0)} ms`;
  return `${(us / 1_000_000).toFixed(us < 10_000_000 ? 2 : 1)} s`;
}

/** The same without zeros at the end, for round durations. */
export function formatRoundUs(us: number): string {
  return formatUs(us)
    .replace(/\.0+ /, ' ')
    .replace(/(\.\d*?)0+ /, '$1 ');
}

/** A duration for people, from milliseconds. */
export function formatMs(ms: number): string {
  return formatUs(ms * 1000);
}

/** A difference between clocks, with its sign and how sure it is. */
export function formatSkew(skewUs: number | null, uncertainUs: number): string {
  if (skewUs === null) return 'unknown';
  const sign = skewUs < 0 ? '−' : '+';
  return `${sign}${formatUs(Math.abs(skewUs))} ± ${formatUs(uncertainUs)}`;
}

/** A count for people, its thousands set apart. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** How long ago something was, roughly. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** A moment as UTC; the script shows it by the viewer's clock. */
export function timeElement(us: number): Html {
  const date = new Date(us / 1000);
  const iso = Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
  return html`<time datetime="${iso}">${iso.slice(11, 19)} UTC</time>`;
}

/** A part of a whole as an attribute of SVG, which may say so without any style: at most all of it, and no digits more than a screen has. */
export function percent(part: number, whole: number): string {
  const value = whole > 0 ? (part / whole) * 100 : 0;
  return `${Math.min(100, Math.max(0, value)).toFixed(3)}%`;
}
