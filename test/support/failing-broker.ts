import type { Digest, Witness } from '../../services/shared/broker/broker.ts';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { AppError } from '../../services/shared/errors.ts';

/** An in-memory broker whose digests fail on demand, so that relays become stale. */
export class FailingBroker extends MemoryBroker {
  failing = false;

  override async digest(partition: number, witness: Witness, cursor: number): Promise<Digest> {
    if (this.failing) throw new AppError('broker_unavailable');
    return super.digest(partition, witness, cursor);
  }
}
