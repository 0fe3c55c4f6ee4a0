/** A phase of the test and the CPU of this machine during it. */
export interface Phase {
  /** Start, in seconds since the phases are recorded. */
  readonly startS: number;
  readonly durationS: number;
  /** Utilization of all cores, from 0 to 1; undefined if it cannot be read. */
  readonly cpu: number | undefined;
}

interface Sample {
  readonly atMs: number;
  readonly busyS: number | undefined;
}

/** Records duration and CPU of the phases of a test. */
export class Phases {
  readonly #busyCpuS: () => number | undefined;
  readonly #cpus: number;
  readonly #started = new Map<string, Sample>();
  readonly #ended = new Map<string, Phase>();
  readonly #startedMs: number;
  #last: Sample;

  /** `busyCpuS` returns the CPU seconds that the machine was busy so far. */
  constructor(deps: { busyCpuS: () => number | undefined; cpus: number }) {
    this.#busyCpuS = deps.busyCpuS;
    this.#cpus = deps.cpus;
    this.#last = this.#sample();
    this.#startedMs = this.#last.atMs;
  }

  start(name: string): void {
    this.#started.set(name, this.#sample());
  }

  end(name: string): void {
    const started = this.#started.get(name);
    if (started) this.#ended.set(name, this.#since(started));
  }

  /** Returns an ended phase, or a running one up to now; undefined if it has not started. */
  get(name: string): Phase | undefined {
    const started = this.#started.get(name);
    return this.#ended.get(name) ?? (started && this.#since(started));
  }

  /** Returns the CPU utilization since the previous call. */
  cpuNow(): number | undefined {
    const { cpu } = this.#since(this.#last);
    this.#last = this.#sample();
    return cpu;
  }

  #sample(): Sample {
    return { atMs: performance.now(), busyS: this.#busyCpuS() };
  }

  #since(before: Sample): Phase {
    const { atMs, busyS } = this.#sample();
    const startS = (before.atMs - this.#startedMs) / 1000;
    const durationS = (atMs - before.atMs) / 1000;
    if (busyS === undefined || before.busyS === undefined || durationS === 0) {
      return { startS, durationS, cpu: undefined };
    }
    return { startS, durationS, cpu: Math.min(1, (busyS - before.busyS) / durationS / this.#cpus) };
  }
}
