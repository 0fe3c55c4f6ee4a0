/** A labelled position on an axis, from 0 to 1. */
export interface Tick {
  readonly at: number;
  readonly label: string;
}

/** Maps values to positions. */
export interface Axis {
  /** Returns a position from 0 to 1. */
  position(value: number): number;
  readonly ticks: readonly Tick[];
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));

/** Returns a step of 1, 2 or 5 times a power of ten, so that about `count` steps reach `max`. */
function roundStep(max: number, count: number): number {
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
}

/** Creates a linear axis from 0 to the next round number above `max`. */
export function linearAxis(max: number, label: (value: number) => string, steps = 4): Axis {
  const most = max > 0 ? max : 1;
  const step = roundStep(most, steps);
  const count = Math.ceil(most / step - 1e-9);
  const end = step * count;
  return {
    position: (value) => clamp(value / end),
    ticks: Array.from({ length: count + 1 }, (_, i) => ({ at: i / count, label: label(step * i) })),
  };
}

/** Creates a linear axis from 0 to exactly `max`, with ticks at round numbers. */
export function timeAxis(max: number, label: (value: number) => string, steps = 6): Axis {
  const end = max > 0 ? max : 1;
  const step = roundStep(end, steps);
  const ticks = Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, i) => i * step);
  return {
    position: (value) => clamp(value / end),
    ticks: ticks.map((value) => ({ at: value / end, label: label(value) })),
  };
}

/** Creates a logarithmic axis from the power of ten below `min` to the next 1, 2 or 5 above `max`; both above 0. */
export function logAxis(min: number, max: number, label: (value: number) => string): Axis {
  const low = Math.floor(Math.log10(min));
  const power = 10 ** Math.floor(Math.log10(max));
  const high = Math.max(([1, 2, 5].find((factor) => factor * power >= max) ?? 10) * power, 2 * 10 ** low);
  const span = Math.log10(high) - low;
  const count = Math.floor(span - 1e-9) + 1;
  const decades = Array.from({ length: count }, (_, i) => ({ at: i / span, label: label(10 ** (low + i)) }));
  return {
    position: (value) => clamp((Math.log10(Math.max(value, 10 ** low)) - low) / span),
    ticks: [...decades, { at: 1, label: label(high) }],
  };
}

/** Creates a percentile axis of `count` values, on which each further nine (90 %, 99 %, 99.9 %) is equally wide. */
export function percentileAxis(count: number): Axis {
  const end = Math.max(2, Math.log10(Math.max(1, count)));
  const most = Math.floor(end + 1e-9);
  // With many nines, the last label would overlap the one before it.
  const nines = Array.from({ length: most }, (_, i) => i + 1).filter((n) => most < 6 || n !== most - 1);
  const position = (share: number) => (share >= 1 ? 1 : clamp(-Math.log10(1 - share) / end));
  return {
    position,
    ticks: [
      { at: 0, label: '0 %' },
      { at: position(0.5), label: '50 %' },
      ...nines.map((n) => ({ at: n / end, label: `${Number((100 - 10 ** (2 - n)).toFixed(Math.max(0, n - 2)))} %` })),
    ],
  };
}
