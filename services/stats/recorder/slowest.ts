/** How many of one kind are kept as the slowest within a window. */
const SLOWEST = 5;
/** Where each is slower than those before, so many are taken all the same before the window ends. */
const MOST = 3 * SLOWEST;
const WINDOW_MS = 10_000;
const MAX_KINDS = 100;

interface Window {
  beganAtMs: number;
  /** The durations of the slowest so far, the quickest of them first. */
  readonly slowest: number[];
  taken: number;
}

/** Judges whether something is among the slowest of its kind in these seconds. */
export class Slowest {
  readonly #monotonicMs: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(deps: { monotonicMs: () => number }) {
    this.#monotonicMs = deps.monotonicMs;
  }

  /** Whether it is, as far as is known by now; then it counts as one of them. */
  take(kind: string, ms: number): boolean {
    const window = this.#windowOf(kind);
    if (!window || window.taken >= MOST) return false;
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
    this.#windows.delete(kind); // so that the map stays in the order of beginnings
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
