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

/** Topics that the publisher publishes all the time, and topics that a test publishes when it wants to. */
const STEADY_TOPICS = Array.from({ length: 32 }, (_, i) => `steady/${i}`);
export const QUIET_TOPICS: readonly string[] = Array.from({ length: 8 }, (_, i) => `quiet/${i}`);
/** Whether only a test publishes this topic. */
export const isQuiet = (topic: string): boolean => QUIET_TOPICS.includes(topic);
/** The default of `FLOOR_SPREAD`. */
const FLOOR_SPREAD_MS = 10_000;
const WEBSOCKET_CLIENTS = 200;
const UPDATE_CHECK_CLIENTS = 100;

/** What a fault has cost. */
export interface Outcome {
  /**
   * From the end of the fault until every relay was fresh, and every topic had a new update that was
   * acknowledged after it and had reached all of its clients.
   */
  readonly repairMs: number;
  /** From the end of the fault until nobody was behind, also in topics that nobody publishes any more. */
  readonly allToldMs: number;
  /** Clients that are not up to date in the end. */
  readonly behind: number;
  /** Times that clients were told without an acknowledged update. */
  readonly spurious: number;
  readonly acknowledged: number;
  readonly refused: number;
}

/** A cluster of real processes with an audience of a few hundred clients, and a publisher that never rests. */
export class ChaosCluster {
  readonly relays: ServiceProcess[] = [];
  readonly webhooks: ServiceProcess[] = [];
  readonly clients: ChaosClient[] = [];
  publisher: SteadyPublisher | undefined;
  /** Relays that clients may choose. */
  #open: string[] = [];

  /**
   * Starts two webhooks, three relays, and clients of both kinds, evenly spread. `env` says where Redis is;
   * `relayEnv` is for one relay only; `sabotage` takes a part of what keeps the promise out of all relays.
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
      ...options.env,
    };
    try {
      const relays = [0, 1, 2].map((i) => startRelayProcess({ ...env, ...options.relayEnv?.(i) }, options.sabotage));
      const webhooks = [0, 1].map(() => startService('webhook', env));
      cluster.relays.push(...(await Promise.all(relays)));
      cluster.webhooks.push(...(await Promise.all(webhooks)));
      await cluster.#gather();
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

  /** Publishes these topics now; resolves once they are acknowledged. */
  publish(topics: readonly string[]): Promise<void> {
    return this.steady.publish(topics);
  }

  /**
   * Publishes the quiet topics so that no relay hears of it, though it is acknowledged: relays stand still until
   * `wake`, and these servers have ended their subscriptions.
   */
  async publishUnheard(servers: readonly { readonly url: string }[]): Promise<void> {
    const listeners = this.clients.filter(({ topics }) => topics.some(isQuiet));
    const heard = () => listeners.filter((client) => !client.behind(this.steady.ledger).some(isQuiet)).length;
    await eventually(() => {
      if (heard() < listeners.length) throw new Error('clients are behind before anything broke');
    });
    for (const relay of this.relays) relay.kill('SIGSTOP');
    for (const { url } of servers) await askRedis(url, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    await this.publish(QUIET_TOPICS);
    if (heard() > 0) throw new Error('clients have heard of what was to go unheard');
  }

  /** Lets the relays go on. */
  wake(): void {
    for (const relay of this.relays) relay.kill('SIGCONT');
  }

  /** The clients of one relay. */
  clientsOf(relay: number): ChaosClient[] {
    const { port } = this.relays[relay] as ServiceProcess;
    return this.clients.filter((client) => client.relay === `ws://127.0.0.1:${port}`);
  }

  /** Clients that have not been told the newest acknowledged update of each of their topics. */
  behind(): ChaosClient[] {
    return this.clients.filter((client) => client.behind(this.steady.ledger).length > 0);
  }

  /** A relay ends; its clients look for another one, and find it after `meanwhile`. */
  async killRelay(relay: number, meanwhile: () => Promise<void>): Promise<void> {
    const url = `ws://127.0.0.1:${this.relays[relay]?.port}`;
    const others = this.#open.filter((other) => other !== url);
    this.#open = [url];
    await this.relays[relay]?.stop('SIGKILL');
    await meanwhile();
    this.#open = others;
  }

  /**
   * Breaks something under publishing, and measures until it is repaired; the fault ends when `fault` resolves. Who is
   * still behind after `patienceMs` counts as never told. Where Redis' history changes (`raisesFloor`), it also waits
   * until the last client was told of that. Prints what it cost.
   */
  async measure(
    name: string,
    fault: () => Promise<void>,
    options: { raisesFloor?: boolean; patienceMs?: number } = {},
  ): Promise<Outcome> {
    const { ledger, refusals } = this.steady;
    const before = { atMs: preciseNowMs(), acknowledged: ledger.size, refused: refusals.length };
    await fault();
    const endedAtMs = preciseNowMs();
    const patienceMs = options.patienceMs ?? 20_000;
    await eventually(() => this.#requireRepaired(endedAtMs), patienceMs);
    const repairMs = Math.round(preciseNowMs() - endedAtMs);
    await this.steady.pause();
    await eventually(() => this.#requireNobodyBehind(), patienceMs).catch(() => {});
    const allToldMs = Math.round(preciseNowMs() - endedAtMs);
    if (options.raisesFloor) await pass(Math.max(0, repairMs + FLOOR_SPREAD_MS + 200 - allToldMs));
    const outcome = {
      repairMs,
      allToldMs,
      behind: this.behind().length,
      spurious: this.clients.reduce((sum, client) => sum + client.spurious(ledger, before.atMs), 0),
      acknowledged: ledger.size - before.acknowledged,
      refused: refusals.length - before.refused,
    };
    this.steady.resume();
    const subscriptions = this.clients.reduce((sum, { topics }) => sum + topics.length, 0);
    console.info(
      `${name}: repaired ${outcome.repairMs} ms after the fault, all told after ${outcome.allToldMs} ms, ${outcome.behind} of ${this.clients.length} clients ` +
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

  async #gather(): Promise<void> {
    this.#open = this.relays.map(({ port }) => `ws://127.0.0.1:${port}`);
    this.publisher = new SteadyPublisher({
      webhooks: this.webhooks.map(({ port }) => ({ url: `http://127.0.0.1:${port}`, token: WEBHOOK_TOKEN })),
      topics: STEADY_TOPICS,
      batch: 8,
      intervalMs: 150,
    });
    const relays = () => this.#open;
    for (let i = 0; i < WEBSOCKET_CLIENTS + UPDATE_CHECK_CLIENTS; i += 1) {
      const pick = (topics: readonly string[], n: number) => topics[(i + n) % topics.length] as string;
      const first = this.#open[i % this.#open.length] as string;
      const client =
        i < WEBSOCKET_CLIENTS
          ? {
              kind: 'websocket' as const,
              topics: [pick(STEADY_TOPICS, 0), pick(STEADY_TOPICS, 11), pick(QUIET_TOPICS, 0)],
            }
          : { kind: 'update_check' as const, topics: [i % 2 ? pick(STEADY_TOPICS, 0) : pick(QUIET_TOPICS, 0)] };
      this.clients.push(new ChaosClient({ ...client, relays, first }));
    }
    await eventually(() => {
      const deaf = this.clients.filter((client) => !client.listens).length;
      if (deaf > 0) throw new Error(`${deaf} clients do not listen yet`);
    }, 15_000);
    this.publisher.resume();
    await this.publish(QUIET_TOPICS);
    const startedAtMs = preciseNowMs();
    await eventually(() => this.#requireRepaired(startedAtMs), 15_000);
  }

  /** Throws unless updates flow to everybody again, all of them, and every relay vouches for that. */
  #requireRepaired(sinceMs: number): void {
    const { ledger } = this.steady;
    for (const topic of STEADY_TOPICS) {
      const update = ledger.firstAfter(topic, sinceMs);
      if (!update) throw new Error(`no update of ${topic} was acknowledged since`);
      const deaf = this.clients.find((client) => client.topics.includes(topic) && !client.hasHeardOf(update));
      if (deaf) throw new Error(`a client of ${deaf.relay} has not heard of ${topic}`);
    }
    if (!this.clients.every((client) => client.isFresh)) throw new Error('a relay is not fresh');
  }

  #requireNobodyBehind(): void {
    const behind = this.behind();
    if (behind.length > 0) throw new Error(`${behind.length} clients are not up to date`);
  }
}
