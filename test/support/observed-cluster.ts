import { expect } from 'vitest';
import { preciseNowMs } from '../../services/loadtest/timing/precise-now.ts';
import type { Sabotage } from '../simulator/sabotage.ts';
import { ChaosClient } from './chaos-client.ts';
import { eventually } from './eventually.ts';
import { LibraryReader } from './library-reader.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { randomPrefix } from './random-prefix.ts';
import { startRelayProcess } from './relay-process.ts';
import { type ServiceProcess, startService } from './service-process.ts';
import { SteadyPublisher } from './steady-publisher.ts';
import { WEBHOOK_TOKEN } from './tokens.ts';

const TOPICS = Array.from({ length: 12 }, (_, i) => `topic/${i}`);
/** More than four are long-polled without waiting. */
const TOPICS_PER_CLIENT = 4;
const TRANSPORTS = ['websocket', 'sse', 'longpoll'] as const;
/** Clients that know whether their relay is fresh; a third of each transport, and beside them legacy clients. */
export const CLIENTS_OF_A_RELAY = (TOPICS.length / TOPICS_PER_CLIENT) * TRANSPORTS.length;
const REPAIR_INTERVAL_MS = 500;
/**
 * The longest time in which a client may be behind and not know it: a relay is fresh for three intervals after the last
 * proof, and the rest is a margin for the way to the client.
 */
const BOUND_MS = 3 * REPAIR_INTERVAL_MS + 1500;
/** A fault lasts for so long that a client that is wrongly fresh is noticed. */
const FAULT_MS = BOUND_MS + 1500;
const SAMPLE_MS = 50;
/** Samples in a row, between which what has arrived at this process is read. */
const SAMPLES = 6;

/** Where a relay and a webhook run, and how they reach Redis. */
export interface Site {
  readonly env: Readonly<Record<string, string>>;
  readonly space?: NetworkNamespace;
}

/**
 * Two sites with a relay and a webhook each, clients of all transports, and a publisher at both webhooks. Observes all the
 * time whether a client that its relay considers current lacks an update that was acknowledged. Disposing stops it.
 */
export class ObservedCluster implements AsyncDisposable {
  readonly prefix = randomPrefix();
  readonly relays: ServiceProcess[] = [];
  readonly #webhooks: ServiceProcess[] = [];
  readonly #readers: LibraryReader[] = [];
  readonly #legacy: ChaosClient[] = [];
  readonly #violations = new Set<string>();
  #publisher: SteadyPublisher | undefined;
  #observer: NodeJS.Timeout | undefined;

  /** @param sabotage the mechanism to disable in the relays */
  static async start(sites: readonly [Site, Site], sabotage?: Sabotage): Promise<ObservedCluster> {
    const cluster = new ObservedCluster();
    try {
      await cluster.#start(sites, sabotage);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /**
   * Injects a fault and lets it last. Then requires that updates were acknowledged meanwhile, that no client was ever
   * wrongly fresh, and that all clients become current after `repair`. Returns how many clients learned meanwhile that they
   * may be behind, and how many calls were refused.
   */
  async endure(
    name: string,
    fault: () => unknown,
    repair: () => unknown = () => {},
  ): Promise<{ stale: number; refused: number }> {
    const { ledger, refusals } = this.#steady;
    const before = { acknowledged: ledger.size, refused: refusals.length };
    const stale = new Set<LibraryReader>();
    const watch = setInterval(() => {
      for (const reader of this.#readers) if (!reader.isFresh) stale.add(reader);
    }, SAMPLE_MS);
    try {
      await fault();
      await new Promise((resolve) => setTimeout(resolve, FAULT_MS));
    } finally {
      clearInterval(watch);
      await repair();
    }
    const refused = refusals.length - before.refused;
    await eventually(() => expect(ledger.size).toBeGreaterThan(before.acknowledged + TOPICS.length));
    const endedAtMs = preciseNowMs();
    await this.requireCurrent();
    console.info(
      `${name}: all current ${Math.round(preciseNowMs() - endedAtMs)} ms after the last update; ${stale.size} of ${this.#readers.length} ` +
        `clients knew that they were not meanwhile; ${ledger.size - before.acknowledged} updates acknowledged, ${refused} calls refused`,
    );
    expect(this.violations).toEqual([]);
    return { stale: stale.size, refused };
  }

  /** Pauses publishing; resolves once each client has the newest update of its topics, and knows it. */
  async requireCurrent(): Promise<void> {
    const { ledger } = this.#steady;
    await this.#steady.pause();
    await eventually(() => {
      expect(this.#readers.flatMap((reader) => reader.behind(ledger))).toEqual([]);
      expect(this.#legacy.flatMap((client) => client.behind(ledger))).toEqual([]);
      expect(
        this.#readers.filter(({ isFresh }) => !isFresh).map(({ status, transport }) => `${status} ${transport}`),
      ).toEqual([]);
    }, 60_000);
    this.#steady.resume();
  }

  /** The clients that were considered current without an acknowledged update, each described once. */
  get violations(): readonly string[] {
    return [...this.#violations];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#observer);
    await this.#publisher?.stop();
    for (const client of [...this.#readers, ...this.#legacy]) client.end();
    await Promise.all([...this.relays, ...this.#webhooks].map((service) => service.stop('SIGKILL')));
  }

  get #steady(): SteadyPublisher {
    if (!this.#publisher) throw new Error('the cluster has not started');
    return this.#publisher;
  }

  async #start(sites: readonly Site[], sabotage: Sabotage | undefined): Promise<void> {
    const common = {
      HELIOGRAPH_PREFIX: this.prefix,
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      REPAIR_INTERVAL: `${REPAIR_INTERVAL_MS}ms`,
      REDIS_TIMEOUT: '500ms',
      FLOOR_SPREAD: '500ms',
      DRAIN_WINDOW: '0s',
      REBALANCE: '0',
      CONNECTION_RATE: '0',
    };
    for (const { env, space } of sites) {
      const all = { ...common, ...env };
      this.relays.push(await startRelayProcess(all, sabotage, { space }));
      this.#webhooks.push(await startService('webhook', all, { space }));
    }
    this.#publisher = new SteadyPublisher({
      webhooks: this.#webhooks.map(({ host, port }) => ({ url: `http://${host}:${port}`, token: WEBHOOK_TOKEN })),
      topics: TOPICS,
      batch: 3,
      intervalMs: 50,
    });
    for (const { host, port } of this.relays) {
      for (let i = 0; i < TOPICS.length; i += TOPICS_PER_CLIENT) {
        const topics = TOPICS.slice(i, i + TOPICS_PER_CLIENT);
        for (const transport of TRANSPORTS)
          this.#readers.push(new LibraryReader(`http://${host}:${port}`, transport, topics));
        this.#legacy.push(new ChaosClient({ kind: 'legacy', topics, relays: () => [`ws://${host}:${port}`] }));
      }
    }
    const all = [...this.#readers, ...this.#legacy];
    await eventually(() => expect(all.filter(({ isSubscribed }) => !isSubscribed)).toHaveLength(0), 60_000);
    this.#observer = setInterval(this.#observation(), SAMPLE_MS);
    this.#publisher.resume();
    await this.requireCurrent();
  }

  /** Returns what takes a sample: notes clients that have long been considered current, and lack an old update. */
  #observation(): () => void {
    const freshSinceMs = new Map<LibraryReader, number>();
    const samples = new Map<LibraryReader, number>();
    return () => {
      const nowMs = preciseNowMs();
      for (const reader of this.#readers) {
        if (!reader.isFresh) freshSinceMs.delete(reader);
        else if (!freshSinceMs.has(reader)) freshSinceMs.set(reader, nowMs);
        const sinceMs = freshSinceMs.get(reader) ?? nowMs;
        const lacks = reader.topics.find((topic) =>
          this.#steady.ledger
            .of(topic)
            .some(
              ({ version, ackedAtMs }) =>
                version > reader.version(topic) && Math.max(ackedAtMs, sinceMs) + BOUND_MS < nowMs,
            ),
        );
        const count = lacks === undefined ? 0 : (samples.get(reader) ?? 0) + 1;
        samples.set(reader, count);
        if (count >= SAMPLES) this.#violations.add(`a client of ${reader.transport} is fresh, and lacks ${lacks}`);
      }
    };
  }
}
