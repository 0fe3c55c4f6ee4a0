import type { PartitionState, Witness } from '../../shared/broker/broker.ts';
import { REGISTER_TTL_MS, RETENTION_US } from '../../shared/broker/retention.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';

/** The broker's clock is compared with this number of probes and digests: the fastest of them is nearest. */
const CLOCK_SAMPLES = 8;

/** The broker's clock was stepped, or is another one, if it is ahead by more than this: registers outlive the retention by it. */
const CLOCK_STEP_US = REGISTER_TTL_MS * 1000 - RETENTION_US;

/** One partition as a relay knows it, from digests and signals. Floor, base and retention limit never decrease. */
export class Partition {
  #witness: Witness = { epoch: '', version: 0 };
  #floor: Version = 0;
  #acknowledgedFloor: Version = 0;
  #isFirstFloor = false;
  #base: Version = 0;
  #retained: Version = 0;
  #cursor: Version = 0;
  #completeAfter: Version = 0;
  #losses = 0;
  #listedLosses = -1;
  /** Microseconds by which the broker's clock seemed ahead of the monotonic clock, more by the time until the request arrived. */
  #aheadUs: number[] = [];
  /** Changes up to this version were compared with every register. */
  auditedTo: Version = 0;
  /** When to compare the registers again, by the monotonic clock in milliseconds. */
  auditDueMs = Number.POSITIVE_INFINITY;
  /** When the last successful probe or digest was requested, by the monotonic clock in milliseconds; -Infinity before the first. */
  digestedAtMs = Number.NEGATIVE_INFINITY;
  /** Updates that a digest brought before their signal arrived, and when. */
  readonly unsignalled = new Map<Topic, { readonly version: Version; readonly atMs: number }>();

  /** The newest state that this relay has seen, for the broker to detect lost data. Sent with each digest. */
  get witness(): Witness {
    return this.#witness;
  }

  /** The floor; 0 before the first digest or signal. */
  get floor(): Version {
    return this.#floor;
  }

  /**
   * The floor of the raise in the witness: every version that this relay knows above it was assigned after that raise, and
   * every other one before it. It names the history of versions that this relay follows. 0 before the first digest or signal.
   */
  get acknowledgedFloor(): Version {
    return this.#acknowledgedFloor;
  }

  /** The floor, which is also the time when it was raised, by this relay's knowledge or before; 0 if it never was. */
  get raised(): Version {
    return this.#isFirstFloor ? 0 : this.#floor;
  }

  /** The next digest is requested for the changes after this version. */
  get cursor(): Version {
    return this.#cursor;
  }

  /** The broker lists every change after this version. */
  get completeAfter(): Version {
    return this.#completeAfter;
  }

  /** Number of times that the watches of this partition were lost. */
  get losses(): number {
    return this.#losses;
  }

  /** Whether changes were listed since the watches were last lost: only then can signals prove what follows. */
  get isListed(): boolean {
    return this.#listedLosses === this.#losses;
  }

  /** Notes that the watches were lost. */
  lose(): void {
    this.#losses += 1;
    this.unsignalled.clear();
  }

  /** Notes that changes were listed. `losses` is the number when that began. */
  listed(losses: number): void {
    this.#listedLosses = losses;
  }

  /** Whether a state continues the data that this relay knows: no other epoch, no raise of the floor, and nothing gone. */
  isContinuedBy({ epoch, raiseId, last }: PartitionState): boolean {
    return epoch === this.#witness.epoch && raiseId === this.#witness.raiseId && last >= this.#cursor;
  }

  /** Whether a state, requested at a time of the monotonic clock, shows that the broker's clock was stepped forward. */
  isClockStep(state: PartitionState, requestedAtMs: number): boolean {
    return this.#isClockKnown && aheadUs(state, requestedAtMs) - Math.min(...this.#aheadUs) > CLOCK_STEP_US;
  }

  /** Notes a version for the witness. */
  saw(version: Version): void {
    if (version > this.#witness.version) this.#witness = { ...this.#witness, version };
  }

  /**
   * Takes the state that a probe or a digest has returned.
   * @param requestedAtMs by the monotonic clock
   */
  learn(state: PartitionState, requestedAtMs: number): void {
    const { epoch, raiseId } = state;
    // Another server has another clock.
    const samples = epoch === this.#witness.epoch ? this.#aheadUs.slice(1 - CLOCK_SAMPLES) : [];
    this.#aheadUs = [...samples, aheadUs(state, requestedAtMs)];
    const version = Math.max(this.#witness.version, state.last);
    // The signal of a later raise may overtake the reply: with the earlier name, the broker would raise the floor again.
    const isOvertaken = state.floor < this.#floor;
    this.#witness = { ...this.#witness, epoch, version, ...(isOvertaken ? {} : { raiseId }) };
    this.raiseFloor(state.floor);
    if (!isOvertaken) this.#acknowledgedFloor = state.floor;
    if (state.floor === this.#floor) this.#isFirstFloor = state.isFirstFloor;
    this.#completeAfter = state.completeAfter;
    this.#base = Math.max(this.#base, state.base);
    this.#retained = Math.max(this.#retained, state.retainedSince);
  }

  /**
   * Raises the floor. Returns whether it was lower before.
   * @param raiseId identifies the raise, if known
   */
  raiseFloor(floor: Version, raiseId?: string): boolean {
    if (floor <= this.#floor) return false;
    // A raise that is not above everything seen is not acknowledged: the broker raises again at the next digest.
    if (raiseId !== undefined && floor > this.#witness.version) {
      this.#witness = { ...this.#witness, raiseId };
      this.#acknowledgedFloor = floor;
    }
    this.saw(floor);
    this.#isFirstFloor = false;
    this.#floor = floor;
    return true;
  }

  /** Converts a time of the monotonic clock, in milliseconds, into the broker's clock, which makes versions. */
  brokerTimeAt(monotonicMs: number): Version {
    return monotonicMs * 1000 + (this.#isClockKnown ? Math.min(...this.#aheadUs) : 0);
  }

  /** Converts a version, which is a time of the broker's clock, into the monotonic clock, in milliseconds; undefined before a digest. */
  monotonicAt(version: Version): number | undefined {
    return this.#isClockKnown ? (version - Math.min(...this.#aheadUs)) / 1000 : undefined;
  }

  get #isClockKnown(): boolean {
    return this.#aheadUs.length > 0;
  }

  /** Marks the changes up to `cursor` as processed. May go back: versions of a new epoch may be lower. */
  moveCursor(cursor: Version): void {
    this.#cursor = cursor;
  }

  /**
   * Returns the current version of a topic. `stored` is the version of its newest update; 0 if it has none. Equal on
   * every relay that has seen the same digest, never lower than an update of the topic, and lower than every later one.
   */
  currentVersion(stored: Version): Version {
    // The broker may have lost an update below the floor: relays that start later would not know it.
    const counts = stored > this.#retained && stored > this.#floor;
    return counts ? stored : Math.max(stored, this.#base, this.#floor);
  }
}

/** Returns by how much the broker's clock seems ahead of the monotonic clock, in microseconds. */
function aheadUs({ retainedSince }: PartitionState, requestedAtMs: number): number {
  return retainedSince + RETENTION_US - requestedAtMs * 1000;
}
