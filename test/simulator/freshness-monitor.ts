import { POLL_PAUSE_MS } from '../../services/client/timings.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { LibraryClient } from './library-client.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { FLOOR_SPREAD_MS, REPAIR_INTERVAL_MS } from './simulated-relay.ts';
import type { Simulation } from './simulation.ts';

/** The interval between checks, in milliseconds. */
const CHECK_INTERVAL_MS = 500;
/** A fresh relay has run a digest of every partition within three intervals; its clients are notified within this time. */
const GRACE_MS = 1000 + FLOOR_SPREAD_MS;
const MAX_STALE_MS = 3 * 1.1 * REPAIR_INTERVAL_MS + GRACE_MS;
/** A client that polls keeps the freshness of its last response until the next poll, and until the relay of that one has loaded the topic. */
const MAX_POLL_MS = POLL_PAUSE_MS + MAX_STALE_MS;

/** A webhook detects within this time that older data were loaded, unless it cannot reach Redis. */
const RELOAD_DETECTED_MS = 20_000;

/** Checks clients during the faults: no relay may report a stale page as fresh for longer than documented. */
export class FreshnessMonitor {
  readonly #simulation: Simulation;
  /** The time since which a client with a healthy connection to a fresh relay has shown an old revision. */
  readonly #staleSinceMs = new Map<string, number>();
  /** Violations, oldest first. */
  readonly violations: string[] = [];

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  start(): void {
    this.#simulation.time.after(CHECK_INTERVAL_MS, () => {
      for (const client of this.#simulation.clients) {
        for (const topic of client.topics) this.#check(client, topic);
      }
      this.start();
    });
  }

  #check(client: SimulatedClient, topic: Topic): void {
    const { time, app, cluster } = this.#simulation;
    const key = `${client.name} ${topic}`;
    const missing = app.missing(topic, client.page.shown(topic));
    const { connection } = client;
    // The legacy protocol has no freshness: uses what the relay reports to other clients.
    const isFresh =
      client.receives && client.page.has(topic) && (client.isFresh ?? connection?.relay?.hub.isFresh(topic));
    // A relay that still uses a replaced master cannot know, nor of older data before the webhook has checked.
    const isUnnoticed = cluster.shards.some(
      ({ isSplit, reloadedAtMs }) => isSplit || time.nowMs - reloadedAtMs < RELOAD_DETECTED_MS,
    );
    if (!missing || !isFresh || isUnnoticed) {
      this.#staleSinceMs.delete(key);
      return;
    }
    const sinceMs = Math.max(this.#staleSinceMs.get(key) ?? time.nowMs, missing.atMs);
    this.#staleSinceMs.set(key, sinceMs);
    const maxStaleMs = MAX_STALE_MS + (client instanceof LibraryClient && client.polls ? MAX_POLL_MS : 0);
    if (time.nowMs - sinceMs <= maxStaleMs) return;
    const what = `${client.name} shows #${client.page.shown(topic)} of ${topic}, and was not notified of #${missing.revision}`;
    const violation = `${what}, acknowledged at ${missing.atMs / 1000} s, by ${connection?.relay?.process.name}, which reported it as fresh for ${maxStaleMs} ms`;
    if (!this.violations.some((earlier) => earlier.startsWith(what))) this.violations.push(violation);
  }
}
