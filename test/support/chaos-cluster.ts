import { setTimeout as pass } from 'node:timers/promises';
import { preciseNowMs } from '../../services/loadtest/timing/precise-now.ts';
import type { Sabotage } from '../simulator/sabotage.ts';
import { ChaosClient } from './chaos-client.ts';
import { eventually } from './eventually.ts';
import { randomPrefix } from './random-prefix.ts';
import { askRedis } from './redis-admin.ts';
import { startRelayProcess } from './relay-process.ts';
import { type ServiceProcess, startService } from './service-process.ts';
import { SteadyPublisher } from './steady-publisher.ts';
import { WEBHOOK_TOKEN } from './tokens.ts';

/** Topics that are published continuously, and topics that only tests publish. */
const STEADY_TOPICS = Array.from({ length: 32 }, (_, i) => `steady/${i}`);
export const QUIET_TOPICS: readonly string[] = Array.from({ length: 8 }, (_, i) => `quiet/${i}`);
/** Returns whether only tests publish this topic. */
export const isQuiet = (topic: string): boolean => QUIET_TOPICS.includes(topic);
/** Shorter than by default: tests wait for it after each loss of data. */
const FLOOR_SPREAD_MS = 2000;
const WEBSOCKET_CLIENTS = 200;
const LEGACY_CLIENTS = 100;

/** The measured effects of a fault. */
export interface Outcome {
  /**
   * The time from the end of the fault until every relay was fresh and every steady topic had an update that was
   * acknowledged after the fault and had reached all of its clients.
   */
  readonly repairMs: number;
  /** The time from the end of the fault until no client was behind in any topic, published again or not. */
  readonly allNotifiedMs: number;
  /** The number of clients that are not up to date in the end. */
  readonly behind: number;
  /** The number of notifications without an acknowledged update. */
  readonly spurious: number;
  readonly acknowledged: number;
  readonly refused: number;
}

/** A cluster of real processes with a few hundred clients and a publisher that runs continuously. */
export class ChaosCluster {
  readonly relays: ServiceProcess[] = [];
  readonly webhooks: ServiceProcess[] = [];
  readonly clients: ChaosClient[] = [];
  publisher: SteadyPublisher | undefined;
  /** The relays that accept clients. */
  #open: string[] = [];

  /**
   * Starts two webhooks, three relays, and clients of both kinds, evenly distributed.
   * @param options.env where Redis is
   * @param options.relayEnv additional environment of one relay
   * @param options.sabotage the mechanism to disable in all relays
   */
  static async start(options: {
    env: Readonly<Record<string, string>>;
    relayEnv?: (relay: number) => Readonly<Record<string, string>>;
    sabotage?: Sabotage;
  }): Promise<ChaosCluster> {
    const cluster = new ChaosCluster();
    const env = {
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      DRAIN_WINDOW: '0s',
      FLOOR_SPREAD: `${FLOOR_SPREAD_MS}ms`,
      ...options.env,
    };
    try {
      const relays = [0, 1, 2].map((i) => startRelayProcess({ ...env, ...options.relayEnv?.(i) }, options.sabotage));
      const webhooks = [0, 1].map(() => startService('webhook', env));
      cluster.relays.push(...(await Promise.all(relays)));
      cluster.webhooks.push(...(await Promise.all(webhooks)));
      await cluster.#connectClients();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get steady(): SteadyPublisher {
    if (!this.publisher) throw new Error('the cluster has not started');
    return this.publisher;
  }

  /** Publishes topics; resolves once they are acknowledged. */
  publish(topics: readonly string[]): Promise<void> {
    return this.steady.publish(topics);
  }

  /**
   * Publishes the quiet topics so that they are acknowledged but no relay receives the signals: stops the relays until
   * `resumeRelays`, and ends their subscriptions at the given servers.
   */
  async publishWithoutSignals(servers: readonly { readonly url: string }[]): Promise<void> {
    const subscribers = this.clients.filter(({ topics }) => topics.some(isQuiet));
    const upToDate = () => subscribers.filter((client) => !client.behind(this.steady.ledger).some(isQuiet)).length;
    await eventually(() => {
      if (upToDate() < subscribers.length) throw new Error('clients are behind before the fault');
    });
    for (const relay of this.relays) relay.kill('SIGSTOP');
    for (const { url } of servers) await askRedis(url, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    // Again if notifications of earlier events were still on their way.
    await eventually(async () => {
      await this.publish(QUIET_TOPICS);
      if (upToDate() > 0) throw new Error('clients received updates whose signals were to be lost');
    });
  }

  /** Resumes the relays that `publishWithoutSignals` stopped. */
  resumeRelays(): void {
    for (const relay of this.relays) relay.kill('SIGCONT');
  }

  /** Returns the clients of one relay. */
  clientsOf(relay: number): ChaosClient[] {
    const { port } = this.relays[relay] as ServiceProcess;
    return this.clients.filter((client) => client.relay === `ws://127.0.0.1:${port}`);
  }

  /** Returns the clients that have not received the newest acknowledged update of each of their topics. */
  behind(): ChaosClient[] {
    return this.clients.filter((client) => client.behind(this.steady.ledger).length > 0);
  }

  /** Kills a relay. Its clients find another one only after `meanwhile`. */
  async killRelay(relay: number, meanwhile: () => Promise<void>): Promise<void> {
    const url = `ws://127.0.0.1:${this.relays[relay]?.port}`;
    const others = this.#open.filter((other) => other !== url);
    this.#open = [url];
    await this.relays[relay]?.stop('SIGKILL');
    await meanwhile();
    this.#open = others;
  }

  /**
   * Injects a fault during publishing, and measures the time until it is repaired. The fault ends when `fault` resolves.
   * Prints the outcome.
   * @param options.raisesFloor also wait until all clients have been notified of the raised floor
   * @param options.timeoutMs a client that is behind for longer counts as never notified
   */
  async measure(
    name: string,
    fault: () => Promise<void>,
    options: { raisesFloor?: boolean; timeoutMs?: number } = {},
  ): Promise<Outcome> {
    const { ledger, refusals } = this.steady;
    const before = { atMs: preciseNowMs(), acknowledged: ledger.size, refused: refusals.length };
    await fault();
    const endedAtMs = preciseNowMs();
    const timeoutMs = options.timeoutMs ?? 20_000;
    await eventually(() => this.#requireRepaired(endedAtMs), timeoutMs);
    const repairMs = Math.round(preciseNowMs() - endedAtMs);
    await this.steady.pause();
    await eventually(() => this.#requireUpToDate(), timeoutMs).catch(() => {});
    const allNotifiedMs = Math.round(preciseNowMs() - endedAtMs);
    if (options.raisesFloor) await pass(Math.max(0, repairMs + FLOOR_SPREAD_MS + 200 - allNotifiedMs));
    const outcome = {
      repairMs,
      allNotifiedMs,
      behind: this.behind().length,
      spurious: this.clients.reduce((sum, client) => sum + client.spurious(ledger, before.atMs), 0),
      acknowledged: ledger.size - before.acknowledged,
      refused: refusals.length - before.refused,
    };
    this.steady.resume();
    const subscriptions = this.clients.reduce((sum, { topics }) => sum + topics.length, 0);
    console.info(
      `${name}: repaired ${outcome.repairMs} ms after the fault, all notified after ${outcome.allNotifiedMs} ms, ${outcome.behind} of ${this.clients.length} clients ` +
        `not up to date; ${outcome.spurious} spurious updates on ${subscriptions} subscriptions; ` +
        `${outcome.acknowledged} updates acknowledged, ${outcome.refused} calls refused`,
    );
    return outcome;
  }

  async stop(): Promise<void> {
    await this.publisher?.stop();
    for (const client of this.clients) client.end();
    await Promise.all([...this.relays, ...this.webhooks].map((service) => service.stop('SIGKILL')));
  }

  async #connectClients(): Promise<void> {
    this.#open = this.relays.map(({ port }) => `ws://127.0.0.1:${port}`);
    this.publisher = new SteadyPublisher({
      webhooks: this.webhooks.map(({ port }) => ({ url: `http://127.0.0.1:${port}`, token: WEBHOOK_TOKEN })),
      topics: STEADY_TOPICS,
      batch: 8,
      intervalMs: 150,
    });
    const relays = () => this.#open;
    for (let i = 0; i < WEBSOCKET_CLIENTS + LEGACY_CLIENTS; i += 1) {
      const pick = (topics: readonly string[], n: number) => topics[(i + n) % topics.length] as string;
      const first = this.#open[i % this.#open.length] as string;
      const client =
        i < WEBSOCKET_CLIENTS
          ? {
              kind: 'websocket' as const,
              topics: [pick(STEADY_TOPICS, 0), pick(STEADY_TOPICS, 11), pick(QUIET_TOPICS, 0)],
            }
          : { kind: 'legacy' as const, topics: [i % 2 ? pick(STEADY_TOPICS, 0) : pick(QUIET_TOPICS, 0)] };
      this.clients.push(new ChaosClient({ ...client, relays, first }));
    }
    await eventually(() => {
      const missing = this.clients.filter((client) => !client.isSubscribed).length;
      if (missing > 0) throw new Error(`${missing} clients are not subscribed yet`);
    });
    this.publisher.resume();
    await this.publish(QUIET_TOPICS);
    const startedAtMs = preciseNowMs();
    await eventually(() => this.#requireRepaired(startedAtMs));
  }

  /** Throws unless every client receives updates again and every relay is fresh. */
  #requireRepaired(sinceMs: number): void {
    const { ledger } = this.steady;
    for (const topic of STEADY_TOPICS) {
      const update = ledger.firstAfter(topic, sinceMs);
      if (!update) throw new Error(`no update of ${topic} was acknowledged since`);
      const behind = this.clients.find((client) => client.topics.includes(topic) && !client.hasReceived(update));
      if (behind) throw new Error(`a client of ${behind.relay} has not received ${topic}`);
    }
    if (!this.clients.every((client) => client.isFresh)) throw new Error('a relay is not fresh');
  }

  #requireUpToDate(): void {
    const behind = this.behind();
    if (behind.length > 0) throw new Error(`${behind.length} clients are not up to date`);
  }
}
