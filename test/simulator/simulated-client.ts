import type { Topic } from '../../services/shared/update/topic.ts';
import type { ClientConnection } from './load-balancer.ts';
import type { Page } from './page.ts';

/** A client as the simulator sees it. */
export interface SimulatedClient {
  readonly name: string;
  readonly page: Page;
  /** The topics it subscribes to. */
  readonly topics: readonly Topic[];
  /** Its newest connection. */
  readonly connection: ClientConnection | undefined;
  /** Whether it receives what is sent to it: it has a connection to a living relay, or is between two long-polls. */
  readonly receives: boolean;
  /** Whether its relay reported to be fresh; undefined if its protocol has no freshness. */
  readonly isFresh: boolean | undefined;
  /** Disconnects permanently. */
  close(): void;
}
