/** The response of `/readyz`. */
export interface Readiness {
  readonly ready: boolean;
  readonly draining: boolean;
  /** Each named condition, and whether it has been met. */
  readonly conditions: Readonly<Record<string, boolean>>;
}

/**
 * Readiness of this process. A condition that was met once stays met: if Redis fails later, the process stays ready,
 * because an empty load balancer would only make things worse. It is alive as long as its admin server responds.
 */
export class Health {
  readonly #conditions = new Map<string, boolean>();
  #draining = false;

  /** Adds a condition of readiness. Returns the function that marks it as met; calling it again is harmless. */
  require(name: string): () => void {
    if (!this.#conditions.has(name)) this.#conditions.set(name, false);
    return () => {
      this.#conditions.set(name, true);
    };
  }

  /** Makes the process unready for good, because it is about to stop. */
  drain(): void {
    this.#draining = true;
  }

  readiness(): Readiness {
    const met = [...this.#conditions.values()].every(Boolean);
    return {
      ready: met && !this.#draining,
      draining: this.#draining,
      conditions: Object.fromEntries(this.#conditions),
    };
  }
}
