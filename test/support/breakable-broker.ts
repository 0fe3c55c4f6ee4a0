import type { Digest, Witness } from '../../services/shared/broker/broker.ts';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { AppError } from '../../services/shared/errors.ts';

/** A broker in memory that a test can make unreachable for digests, so that relays cease to be fresh. */
export class BreakableBroker extends MemoryBroker {
  broken = false;

  override async digest(partition: number, witness: Witness, cursor: number): Promise<Digest> {
    if (this.broken) throw new AppError('broker_unavailable');
    return super.digest(partition, witness, cursor);
  }
}
