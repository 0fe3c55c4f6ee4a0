/** How long a part of the test took, and how busy this machine was meanwhile. */
export interface Phase {
  /** When it began, since these phases are watched. */
  readonly fromS: number;
  readonly tookS: number;
  /** Of all cores, from 0 to 1; undefined where it cannot be seen. */
  readonly cpu: number | undefined;
}

/** Watches the CPU of this machine while a test goes through its parts. */
export class Phases {
  readonly #busyCpuS: () => number | undefined;
  readonly #cpus: number;
  readonly #begun = new Map<string, { atMs: number; busyS: number | undefined }>();
  readonly #ended = new Map<string, Phase>();
  readonly #startedMs: number;
  #last: { atMs: number; busyS: number | undefined };

  constructor(deps: { busyCpuS: () => number | undefined; cpus: number }) {
    this.#busyCpuS = deps.busyCpuS;
    this.#cpus = deps.cpus;
    this.#last = this.#look();
    this.#startedMs = this.#last.atMs;
  }

  begin(name: string): void {
    this.#begun.set(name, this.#look());
  }

  end(name: string): void {
    const begun = this.#begun.get(name);
    if (begun) this.#ended.set(name, this.#since(begun));
  }

  /** A part that has ended, or as far as it came. */
  get(name: string): Phase | undefined {
    const begun = this.#begun.get(name);
    return this.#ended.get(name) ?? (begun && this.#since(begun));
  }

  /** How busy the machine was since the last call. */
  cpuNow(): number | undefined {
    const { cpu } = this.#since(this.#last);
    this.#last = this.#look();
    return cpu;
  }

  #look(): { atMs: number; busyS: number | undefined } {
    return { atMs: performance.now(), busyS: this.#busyCpuS() };
  }

  #since(before: { atMs: number; busyS: number | undefined }): Phase {
    const { atMs, busyS } = this.#look();
    const fromS = (before.atMs - this.#startedMs) / 1000;
    const tookS = (atMs - before.atMs) / 1000;
    if (busyS === undefined || before.busyS === undefined || tookS === 0) return { fromS, tookS, cpu: undefined };
    return { fromS, tookS, cpu: Math.min(1, (busyS - before.busyS) / tookS / this.#cpus) };
  }
}
