/** Number of recent samples; the one with the shortest round trip is the most certain. */
const SAMPLES = 20;

/** Estimates how far the store's clock is ahead of this process's, from its answers. Times are in microseconds. */
export class ClockSkew {
  #samples: { readonly skewUs: number; readonly uncertainUs: number }[] = [];

  /**
   * Adds an answer of the store.
   *
   * @param storeUs the store's time in the answer, read at some point between the two others
   * @param sentUs when the request was sent, by this process's clock
   * @param receivedUs when the answer arrived, by this process's clock
   */
  addSample(storeUs: number, sentUs: number, receivedUs: number): void {
    if (receivedUs < sentUs) return; // this process's clock was set back
    const uncertainUs = (receivedUs - sentUs) / 2;
    this.#samples.push({ skewUs: storeUs - (sentUs + uncertainUs), uncertainUs });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** The best estimate; `skewUs` is null without samples. */
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
