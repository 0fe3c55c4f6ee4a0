import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';

/** A revision of a topic that a webhook acknowledged with 200. */
interface Acknowledged {
  readonly revision: number;
  readonly version: Version;
  readonly atMs: number;
}

/** The web application: stores the content of each topic, represented by a revision that each save increments. */
export class SimulatedApp {
  readonly #saved = new Map<Topic, number>();
  readonly #acknowledged = new Map<Topic, Acknowledged[]>();

  /** Saves a new revision of a topic and returns it. */
  save(topic: Topic): number {
    const revision = this.current(topic) + 1;
    this.#saved.set(topic, revision);
    return revision;
  }

  /** Returns the revision that a fetch returns now. */
  current(topic: Topic): number {
    return this.#saved.get(topic) ?? 0;
  }

  /** Records that a webhook replied 200. */
  acknowledge(topic: Topic, acknowledged: Acknowledged): void {
    const list = this.#acknowledged.get(topic) ?? [];
    this.#acknowledged.set(topic, [...list, acknowledged]);
  }

  /** Returns the last acknowledged version, which the app renders into its pages; null before the first. */
  renderedVersion(topic: Topic): Version | null {
    return this.#acknowledged.get(topic)?.at(-1)?.version ?? null;
  }

  /** Returns the oldest acknowledged revision after `shown`, if any. */
  missing(topic: Topic, shown: number): Acknowledged | undefined {
    return this.#acknowledged.get(topic)?.find(({ revision }) => revision > shown);
  }
}
