import type { TransportName } from '../../shared/protocol/transport-name.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';

/** What is said over a WebSocket; undefined where this dialect has no word for it. */
export interface MessageEncoder {
  readonly transport: TransportName;
  /** Whether its clients can spread their refetch by themselves. */
  readonly knowsSpread: boolean;
  update(update: Update): string;
  subscribed(numbers: ReadonlyMap<Topic, Version | null>): string | undefined;
  freshness(fresh: boolean): string | undefined;
  pong(): string | undefined;
  error(code: string, topic?: Topic): string | undefined;
  /** Whether the client's messages mean anything. */
  readonly listens: boolean;
}
