import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';

/** A state of a topic that a webhook has answered 200 for. */
interface Acknowledged {
  readonly revision: number;
  readonly version: Version;
  readonly atMs: number;
}

/** The web app: it keeps the truth, a number for each topic that grows with each save. */
export class SimulatedApp {
  readonly #saved = new Map<Topic, number>();
  readonly #acknowledged = new Map<Topic, Acknowledged[]>();

  /** Saves something new; returns the topic's new revision. */
  save(topic: Topic): number {
    const revision = this.truth(topic) + 1;
    this.#saved.set(topic, revision);
    return revision;
  }

  /** The revision that whoever fetches gets. */
  truth(topic: Topic): number {
    return this.#saved.get(topic) ?? 0;
  }

  /** A webhook has answered 200. */
  acknowledge(topic: Topic, acknowledged: Acknowledged): void {
    const list = this.#acknowledged.get(topic) ?? [];
    this.#acknowledged.set(topic, [...list, acknowledged]);
  }

  /** The version that the app was told last, which it renders into its pages; null where there is none. */
  renderedVersion(topic: Topic): Version | null {
    return this.#acknowledged.get(topic)?.at(-1)?.version ?? null;
  }

  /** The oldest acknowledged revision that somebody who shows this one should have been told of since. */
  missing(topic: Topic, shown: number): Acknowledged | undefined {
    return this.#acknowledged.get(topic)?.find(({ revision }) => revision > shown);
  }
}
