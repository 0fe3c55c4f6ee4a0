import type { Topic } from '../../services/shared/update/topic.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { FLOOR_SPREAD_MS, REPAIR_INTERVAL_MS } from './simulated-relay.ts';
import type { Simulation } from './simulation.ts';

/** How often the watchman looks, in milliseconds. */
const LOOK_MS = 500;
/** A relay that vouches for a topic has digested every partition within three intervals; its clients are told within this time more. */
const GRACE_MS = 1000 + FLOOR_SPREAD_MS;
const WRONG_MS = 3 * 1.1 * REPAIR_INTERVAL_MS + GRACE_MS;

/** Looks at every client while faults go on: none may be vouched a wrong page for longer than the documented time. */
export class Watchman {
  readonly #simulation: Simulation;
  /** Since when a client with a good line, to whom a relay vouches, has shown something old. */
  readonly #wrongSinceMs = new Map<string, number>();
  /** What was found, first one first. */
  readonly findings: string[] = [];

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  start(): void {
    this.#simulation.time.after(LOOK_MS, () => {
      for (const client of this.#simulation.clients) {
        for (const topic of client.topics) this.#look(client, topic);
      }
      this.start();
    });
  }

  #look(client: SimulatedClient, topic: Topic): void {
    const { time, app, cluster } = this.#simulation;
    const key = `${client.name} ${topic}`;
    const missing = app.missing(topic, client.page.shown(topic));
    const { line } = client;
    // A page of 2009 is told nothing of freshness: it may rely on what its relay would tell others.
    const vouched = client.hears && client.page.has(topic) && (client.believesFresh ?? line?.relay?.hub.isFresh(topic));
    // Who holds on to a replaced master cannot know.
    const split = cluster.shards.some(({ isSplit }) => isSplit);
    if (!missing || !vouched || split) {
      this.#wrongSinceMs.delete(key);
      return;
    }
    const sinceMs = Math.max(this.#wrongSinceMs.get(key) ?? time.nowMs, missing.atMs);
    this.#wrongSinceMs.set(key, sinceMs);
    if (time.nowMs - sinceMs <= WRONG_MS) return;
    const what = `${client.name} shows #${client.page.shown(topic)} of ${topic}, and was not told of #${missing.revision}`;
    const finding = `${what}, acknowledged at ${missing.atMs / 1000} s, by ${line?.relay?.process.name}, which vouched for it for ${WRONG_MS} ms`;
    if (!this.findings.some((earlier) => earlier.startsWith(what))) this.findings.push(finding);
  }
}
