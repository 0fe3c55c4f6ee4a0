/** Number of calls of one kind that count as the slowest within a window. */
const SLOWEST = 5;
/** Most calls taken within a window, if each is slower than the ones before. */
const MAX_TAKEN = 3 * SLOWEST;
const WINDOW_MS = 10_000;
const MAX_KINDS = 100;

interface Window {
  beganAtMs: number;
  /** Durations of the slowest so far, in milliseconds, ascending. */
  readonly slowest: number[];
  taken: number;
}

/** Decides whether a call is among the slowest of its kind within ten seconds. */
export class Slowest {
  readonly #monotonicMs: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(deps: { monotonicMs: () => number }) {
    this.#monotonicMs = deps.monotonicMs;
  }

  /** Returns whether the call is among the slowest so far; if so, it counts as one of them. */
  take(kind: string, ms: number): boolean {
    const window = this.#windowOf(kind);
    if (!window || window.taken >= MAX_TAKEN) return false;
    const { slowest } = window;
    if (slowest.length >= SLOWEST) {
      if (ms <= (slowest[0] ?? 0)) return false;
      slowest.shift();
    }
    const at = slowest.findIndex((other) => other > ms);
    slowest.splice(at < 0 ? slowest.length : at, 0, ms);
    window.taken += 1;
    return true;
  }

  #windowOf(kind: string): Window | undefined {
    const now = this.#monotonicMs();
    const window = this.#windows.get(kind);
    if (window && now - window.beganAtMs < WINDOW_MS) return window;
    this.#windows.delete(kind); // keeps the map ordered by `beganAtMs`
    for (const [old, { beganAtMs }] of this.#windows) {
      if (now - beganAtMs < WINDOW_MS) break;
      this.#windows.delete(old);
    }
    if (this.#windows.size >= MAX_KINDS) return undefined;
    const begun: Window = { beganAtMs: now, slowest: [], taken: 0 };
    this.#windows.set(kind, begun);
    return begun;
  }
}
