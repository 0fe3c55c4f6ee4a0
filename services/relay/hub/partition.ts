import type { Digest, Witness } from '../../shared/broker/broker.ts';
import { RETENTION_US } from '../../shared/broker/retention.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';

/** What a relay knows of one partition from its digests. */
export class Partition {
  #witness: Witness = { epoch: '', version: 0 };
  #floor: Version = 0;
  #raised: Version = 0;
  #base: Version = 0;
  #retained: Version = 0;
  #cursor: Version = 0;
  /** How far the broker's clock is ahead of ours that never steps, in microseconds. */
  #aheadUs = 0;
  /** When the last digest that succeeded was asked for, in milliseconds; never at first. */
  digestedAtMs = Number.NEGATIVE_INFINITY;
  /** Updates that the digest brought before pub/sub did, and when. */
  readonly unsignalled = new Map<Topic, { readonly version: Version; readonly atMs: number }>();

  get witness(): Witness {
    return this.#witness;
  }

  get floor(): Version {
    return this.#floor;
  }

  /** The floor where it was raised since the first digest; 0 where it was not. */
  get raised(): Version {
    return this.#raised;
  }

  /** What the next digest is asked for: changes after this. */
  get cursor(): Version {
    return this.#cursor;
  }

  /** Notes the highest version seen, so that a broker that forgot it can be told. */
  saw(version: Version): void {
    if (version > this.#witness.version) this.#witness = { ...this.#witness, version };
  }

  /** Takes a digest's numbers over, all but its changes. */
  learn(digest: Digest, askedAtMs: number): void {
    this.#aheadUs = digest.retainedSince + RETENTION_US - askedAtMs * 1000;
    const { epoch, raiseId } = digest;
    this.#witness = { epoch, raiseId, version: Math.max(this.#witness.version, digest.last) };
    this.raiseFloor(digest.floor);
    this.#base = Math.max(this.#base, digest.base);
    this.#retained = Math.max(this.#retained, digest.retainedSince);
  }

  /** True where the floor is higher than it was. `raiseId` names what raised it, where that is known. */
  raiseFloor(floor: Version, raiseId?: string): boolean {
    if (floor <= this.#floor) return false;
    // One that is not above all that was seen is not taken for known: the next digest has it raised again.
    if (raiseId !== undefined && floor > this.#witness.version) this.#witness = { ...this.#witness, raiseId };
    this.saw(floor);
    if (this.#floor > 0) this.#raised = floor;
    this.#floor = floor;
    return true;
  }

  /** What the broker's clock showed, or shows, at a moment of ours: versions are by that clock. */
  brokerTimeAt(monotonicMs: number): Version {
    return monotonicMs * 1000 + this.#aheadUs;
  }

  /** The changes up to here are dealt with. May go back: a new history may name lower versions. */
  moveCursor(cursor: Version): void {
    this.#cursor = cursor;
  }

  /**
   * The number of a topic whose stored register has this version, 0 for none: equal on every relay that has
   * seen the same digest, never lower than an update the topic has had, never as high as one to come.
   */
  currentVersion(version: Version): Version {
    // One below the floor may be gone from the broker, and then relays that start know nothing of it.
    const counts = version > this.#retained && version > this.#floor;
    return counts ? version : Math.max(version, this.#base, this.#floor);
  }
}
