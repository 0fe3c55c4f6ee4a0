import { WebSocket } from 'ws';
import { Heliograph, type TransportName } from '../../client/heliograph-client.ts';
import { type PublishError, type PublishedUpdate, Publisher } from '../../client/publisher.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { WebhookCredential } from '../../shared/config/webhook-access.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { CanaryMetrics } from './canary-metrics.ts';

/** What a canary publishes and subscribes to. */
export interface CanaryConfig {
  readonly webhookUrl: string;
  readonly credential: WebhookCredential;
  readonly relayUrl: string;
  /** A JWT, if the topic is private. */
  readonly relayToken: string | undefined;
  readonly topic: Topic;
  readonly transport: TransportName;
  /** Time between the starts of two probes, in milliseconds. */
  readonly intervalMs: number;
  /** Limit of a probe, from the call of the webhook until the update is received, in milliseconds. */
  readonly timeoutMs: number;
}

interface Deps {
  readonly config: CanaryConfig;
  readonly metrics: CanaryMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called after each probe that succeeded. */
  readonly succeeded: () => void;
}

/** An update that was received, at a time of the monotonic clock. */
interface Arrival {
  readonly version: number;
  readonly atMs: number;
}

/** Publishes updates and receives them as a client does, and measures the time between. */
export class Canary {
  readonly #deps: Deps;
  readonly #publisher: Publisher;
  /** The updates received since the current probe started. */
  #arrivals: Arrival[] = [];
  #arrived: (arrival: Arrival) => void = () => {};
  #client: Heliograph | undefined;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(deps: Deps) {
    this.#deps = deps;
    const { webhookUrl: url, credential, timeoutMs } = deps.config;
    this.#publisher = new Publisher({ url, ...credential, timeoutMs });
  }

  /** Subscribes, and begins with the first probe once the relay has confirmed that, or after the timeout. */
  start(): void {
    const { config, logger, clock } = this.#deps;
    const { relayUrl, topic, relayToken: token, transport, timeoutMs } = config;
    const client = new Heliograph(relayUrl, { topics: [topic], token, transports: [transport], WebSocket });
    this.#client = client;
    client.on('status', (status) => logger.info({ status }, 'the status of the subscription changed'));
    client.on('error', ({ code }) => logger.warn({ code }, 'the relay refused the subscription'));
    client.on('update', ({ version }) => this.#receive({ version, atMs: clock.monotonicMs() }));
    const begin = () => {
      stopWaiting();
      this.#timer?.cancel();
      void this.#probeAgainAndAgain();
    };
    const stopWaiting = client.on('subscribed', begin);
    this.#timer = clock.after(timeoutMs, begin);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#client?.close();
  }

  #receive(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#arrived(arrival);
  }

  async #probeAgainAndAgain(): Promise<void> {
    const { config, clock } = this.#deps;
    const startedMs = clock.monotonicMs();
    await this.#probe(startedMs);
    if (this.#isStopped) return;
    const waitMs = Math.max(0, startedMs + config.intervalMs - clock.monotonicMs());
    this.#timer = clock.after(waitMs, () => void this.#probeAgainAndAgain());
  }

  /** Publishes an update and waits for it, or for a newer one: other canaries may use the same topic. */
  async #probe(startedMs: number): Promise<void> {
    const { config, metrics, logger, succeeded } = this.#deps;
    this.#arrivals = [];
    let version: number;
    try {
      const [update] = await this.#publisher.publish(config.topic);
      version = (update as PublishedUpdate).version;
    } catch (error) {
      if (this.#isStopped) return;
      metrics.failed('publish');
      const { message, status, code, detail } = error as PublishError;
      logger.warn({ status, code, detail }, `the webhook took no update: ${message}`);
      return;
    }
    const atMs = await this.#arrivalOf(version, startedMs + config.timeoutMs);
    if (this.#isStopped) return;
    if (atMs === undefined) {
      metrics.failed('delivery');
      logger.warn({ version, timeoutMs: config.timeoutMs }, 'the update was not received in time');
      return;
    }
    metrics.received((atMs - startedMs) / 1000);
    logger.debug({ version, ageMs: atMs - startedMs }, 'received');
    succeeded();
  }

  /** Resolves with the time at which this or a newer version was received; undefined after `deadlineMs`. */
  #arrivalOf(version: number, deadlineMs: number): Promise<number | undefined> {
    const { clock } = this.#deps;
    const early = this.#arrivals.find((arrival) => arrival.version >= version);
    if (early) return Promise.resolve(early.atMs);
    return new Promise((resolve) => {
      const end = (atMs: number | undefined) => {
        this.#arrived = () => {};
        this.#timer?.cancel();
        resolve(atMs);
      };
      this.#timer = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => end(undefined));
      this.#arrived = (arrival) => {
        if (arrival.version >= version) end(arrival.atMs);
      };
    });
  }
}
