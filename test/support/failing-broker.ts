import type { Digest, Probe, Witness } from '../../services/shared/broker/broker.ts';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { AppError } from '../../services/shared/errors.ts';

/** An in-memory broker whose probes and digests fail on demand, so that relays become stale. */
export class FailingBroker extends MemoryBroker {
  failing = false;

  override async probe(partition: number, witness: Witness, waitMs: number): Promise<Probe> {
    if (this.failing) throw new AppError('broker_unavailable');
    return super.probe(partition, witness, waitMs);
  }

  override async digest(partition: number, witness: Witness, cursor: number): Promise<Digest> {
    if (this.failing) throw new AppError('broker_unavailable');
    return super.digest(partition, witness, cursor);
  }
}
