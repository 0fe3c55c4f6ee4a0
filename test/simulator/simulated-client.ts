import type { Topic } from '../../services/shared/update/topic.ts';
import type { ClientLine } from './entrance.ts';
import type { Page } from './page.ts';

/** Somebody who listens, as the simulator sees it. */
export interface SimulatedClient {
  readonly name: string;
  readonly page: Page;
  /** What it wants to listen to. */
  readonly topics: readonly Topic[];
  /** Its newest line. */
  readonly line: ClientLine | undefined;
  /** Whether what it is sent arrives: it has a line to a living relay, or is between two requests. */
  readonly hears: boolean;
  /** Whether it was told that its relay vouches for what it says; undefined where it is told nothing of the kind. */
  readonly believesFresh: boolean | undefined;
  /** Ends for good. */
  leave(): void;
}
