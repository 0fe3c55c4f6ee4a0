import { type Html, html } from '../../shared/http/html.ts';

/** Formats a duration in microseconds, such as `1.25 ms`. */
export function formatUs(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 10_000) return `${(us / 1000).toFixed(2)} ms`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 100_000 ? 1 : 0)} ms`;
  return `${(us / 1_000_000).toFixed(us < 10_000_000 ? 2 : 1)} s`;
}

/** Formats a round duration in microseconds, without trailing zeros. */
export function formatRoundUs(us: number): string {
  return formatUs(us)
    .replace(/\.0+ /, ' ')
    .replace(/(\.\d*?)0+ /, '$1 ');
}

/** Formats a duration in milliseconds. */
export function formatMs(ms: number): string {
  return formatUs(ms * 1000);
}

/** Formats a clock skew with its uncertainty, such as `+350 µs ± 40 µs`. */
export function formatSkew(skewUs: number | null, uncertainUs: number): string {
  if (skewUs === null) return 'unknown';
  const sign = skewUs < 0 ? '−' : '+';
  return `${sign}${formatUs(Math.abs(skewUs))} ± ${formatUs(uncertainUs)}`;
}

/** Formats a count, with thousands separators. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** Formats an age in one unit, such as `3 h`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** Renders a time as UTC, with the date if wanted; the script converts it to the viewer's time zone. */
export function timeElement(us: number, { hasDate = false } = {}): Html {
  const date = new Date(us / 1000);
  const iso = Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
  const text = hasDate ? iso.slice(0, 19).replace('T', ' ') : iso.slice(11, 19);
  return html`<time datetime="${iso}"${hasDate ? html` data-date` : html``}>${text} UTC</time>`;
}

/** Formats a part of a whole as a percentage for an SVG attribute, clamped to 0 to 100 %. */
export function percent(part: number, whole: number): string {
  const value = whole > 0 ? (part / whole) * 100 : 0;
  return `${Math.min(100, Math.max(0, value)).toFixed(3)}%`;
}
