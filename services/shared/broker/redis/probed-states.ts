import type { PartitionState, Witness } from '../broker.ts';

/** The state of a partition as a probe of a server returned it, under the name that the server has in `meta`. */
interface Probed {
  readonly server: string;
  readonly state: PartitionState;
}

/** Remembers the last probed state of each partition, so that the next probe need not read it again if nothing has changed. */
export class ProbedStates {
  readonly #probed = new Map<number, Probed>();

  /**
   * Returns the server that returned the states of all these partitions, if they are still the ones of the witnesses: while `last`
   * and the latest raise are the same on the same server, so is everything else. Otherwise an empty string.
   */
  serverOf(witnesses: readonly (readonly [partition: number, Witness])[]): string {
    const servers = new Set(
      witnesses.map(([partition, { epoch, version, raiseId }]) => {
        const { server, state } = this.#probed.get(partition) ?? {};
        const isSame = state?.epoch === epoch && state.last === version && state.raiseId === raiseId;
        return isSame ? server : undefined;
      }),
    );
    const [server] = servers;
    return servers.size === 1 && server !== undefined ? server : '';
  }

  of(partition: number): PartitionState | undefined {
    return this.#probed.get(partition)?.state;
  }

  learn(partition: number, probed: Probed): void {
    this.#probed.set(partition, probed);
  }
}
