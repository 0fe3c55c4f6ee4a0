/** How many of the last answers are looked at: the quickest of them knows best. */
const SAMPLES = 20;

/** How far the store's clock is ahead of this process', as its answers tell. All times are in microseconds. */
export class ClockSkew {
  #samples: { readonly skewUs: number; readonly uncertainUs: number }[] = [];

  /** An answer has said what time it is there; it was read some time between asking and its arrival. */
  addSample(nowUs: number, askedAtUs: number, arrivedAtUs: number): void {
    if (arrivedAtUs < askedAtUs) return; // our clock was set meanwhile
    const uncertainUs = (arrivedAtUs - askedAtUs) / 2;
    this.#samples.push({ skewUs: nowUs - (askedAtUs + uncertainUs), uncertainUs });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** The best estimate; null where there is none yet. */
  get estimate(): { readonly skewUs: number | null; readonly uncertainUs: number } {
    const [first, ...rest] = this.#samples;
    if (!first) return { skewUs: null, uncertainUs: 0 };
    const { skewUs, uncertainUs } = rest.reduce(
      (best, one) => (one.uncertainUs < best.uncertainUs ? one : best),
      first,
    );
    return { skewUs: Math.round(skewUs), uncertainUs: Math.round(uncertainUs) };
  }
}
