/** What `/readyz` answers. */
export interface Readiness {
  readonly ready: boolean;
  readonly draining: boolean;
  /** The named conditions, and whether each has been met. */
  readonly conditions: Readonly<Record<string, boolean>>;
}

/**
 * Whether this process should get traffic. A condition that was met once stays met: Redis' absence
 * later neither fails liveness nor takes readiness away, since a restart or an empty load balancer
 * would only make it worse. Liveness is that the admin server answers at all.
 */
export class Health {
  readonly #conditions = new Map<string, boolean>();
  #draining = false;

  /** Adds a condition of readiness. Returns what to call once it is met; again is harmless. */
  require(name: string): () => void {
    if (!this.#conditions.has(name)) this.#conditions.set(name, false);
    return () => {
      this.#conditions.set(name, true);
    };
  }

  /** Takes readiness away for good: this process is going to stop. */
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
