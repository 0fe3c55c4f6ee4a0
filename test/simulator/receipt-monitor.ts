import type { Topic } from '../../services/shared/update/topic.ts';
import { LegacyClient } from './legacy-client.ts';
import { LibraryClient } from './library-client.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { FLOOR_SPREAD_MS } from './simulated-relay.ts';
import type { Simulation } from './simulation.ts';

/** The time in which what was delivered reaches the page of a client, in milliseconds. */
const TRANSIT_MS = 500;

/** The time in which all relays have registered again, in milliseconds: the longest life of a registration. */
const REGISTERED_AGAIN_MS = 12_200;

/** Checks receipts: an update that a webhook reports as delivered has reached all clients of relays that are fresh. */
export class ReceiptMonitor {
  readonly #simulation: Simulation;
  /** Violations, oldest first. */
  readonly violations: string[] = [];

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Checks the clients that are connected now, once the update has had time to arrive. */
  delivered(webhook: string, topic: Topic, revision: number): void {
    const { clients, time } = this.#simulation;
    if (this.#mayBeIncomplete) return;
    for (const client of clients) {
      const { connection } = client;
      if (!this.#mustShow(client, topic, revision)) continue;
      // A relay sends updates to legacy clients over time, and counts those that wait as behind.
      const graceMs = TRANSIT_MS + (client instanceof LegacyClient ? FLOOR_SPREAD_MS : 0);
      time.after(graceMs, () => {
        if (client.connection !== connection || !this.#mustShow(client, topic, revision)) return;
        this.violations.push(
          `${webhook} reported #${revision} of ${topic} as delivered, but ${client.name} on ${connection?.relay?.process.name}, which is fresh, was not notified of #${revision}`,
        );
      });
    }
  }

  /**
   * Whether the registry may lack relays without a trace, because Redis' clock has stepped, so that entries expire early until
   * the relays exchange again; or a replaced master accepts calls, or has until a moment ago, which may include this update.
   */
  get #mayBeIncomplete(): boolean {
    const { clockSteppedAtMs, cluster, time } = this.#simulation;
    const isRecent = (atMs: number) => time.nowMs - atMs < REGISTERED_AGAIN_MS;
    return (
      isRecent(clockSteppedAtMs) || cluster.shards.some((shard) => shard.isSplit || isRecent(shard.splitEndedAtMs))
    );
  }

  /**
   * Whether the registry was lost soon after a relay had first registered, so that relays which have returned since had not
   * seen all when they registered. The view of a webhook may be a second old: others that have seen it may have returned meanwhile.
   */
  #isUnexpected(relay: string): boolean {
    const { cluster, relays } = this.#simulation;
    const { shards, relaysRegistered } = cluster;
    const entries = [...(shards[0]?.master.data.relays ?? [])];
    const returned = entries.filter(([, { seen }]) => seen.returned);
    const registered = relays.filter(({ process }) => process.runs && relaysRegistered.has(process.name));
    return relaysRegistered.has(relay) && returned.some(([, { seen }]) => seen.seen < registered.length);
  }

  /** Whether a client relies on a fresh relay, and shows something older. */
  #mustShow(client: SimulatedClient, topic: Topic, revision: number): boolean {
    // Between two polls it is a client of no relay.
    if (client instanceof LibraryClient && client.polls) return false;
    const { relay, pipe } = client.connection ?? {};
    if (!relay?.process.runs || !pipe?.flows || !relay.hub.isFresh(topic) || client.isFresh === false) return false;
    if (this.#isUnexpected(relay.process.name)) return false;
    return client.topics.includes(topic) && client.page.has(topic) && client.page.shown(topic) < revision;
  }
}
