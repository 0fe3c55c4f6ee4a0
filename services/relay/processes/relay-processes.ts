import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Environment } from '../../shared/config/env-reader.ts';
import type { Logger } from '../../shared/logger.ts';
import { type MetricJson, mergeCounters } from '../../shared/process/metrics-registry.ts';
import { StartError } from '../../shared/start-error.ts';
import type { FromRelayProcess, ToRelayProcess } from './process-message.ts';

/** After a process ended, the wait until it is started again doubles from the first up to the cap. */
const FIRST_RESTART_MS = 200;
const RESTART_CAP_MS = 10_000;
/** A process that held for so long starts the waits anew. */
const LIVED_MS = 60_000;
const METRICS_TIMEOUT_MS = 2000;

interface Place {
  child: ChildProcess | undefined;
  isReady: boolean;
  startedAtMs: number;
  restartMs: number;
  restart: Timer | undefined;
  /** What its process answered last. */
  metrics: MetricJson[] | undefined;
}

/**
 * Several relays as processes of their own on one port, for machines with several cores: the kernel shares new
 * connections out. One that ends is started again; all end together.
 */
export class RelayProcesses {
  readonly #main: string;
  readonly #env: Environment;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ready: () => void;
  readonly #places: Place[];
  #stopping = false;
  #nextRequest = 1;
  /** The counters of processes that have ended: the sum must not go down with them. */
  #kept: Promise<MetricJson[]> = Promise.resolve([]);

  /** `main` is the file to run; `ready` is called once all have been ready at a time. */
  constructor(deps: {
    main: string;
    count: number;
    env: Environment;
    clock: Clock;
    logger: Logger;
    ready: () => void;
  }) {
    this.#main = deps.main;
    this.#env = deps.env;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#ready = deps.ready;
    this.#places = Array.from({ length: deps.count }, () => ({
      child: undefined,
      isReady: false,
      startedAtMs: 0,
      restartMs: FIRST_RESTART_MS,
      restart: undefined,
      metrics: undefined,
    }));
  }

  /** Starts all, and resolves once each of them listens. Rejects where one ends before. */
  async start(): Promise<void> {
    await Promise.all(this.#places.map((place) => this.#start(place)));
  }

  /** Lets all say goodbye to their clients and end; resolves once they are gone. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#places.map(async ({ child, restart }) => {
        restart?.cancel();
        if (!child || child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }),
    );
  }

  /**
   * The metrics of every process, with what is kept of those that have ended. One that does not answer in time is taken
   * for what it was before.
   */
  async metrics(): Promise<readonly MetricJson[][]> {
    await Promise.all(
      this.#places.map(async (place) => {
        const { child } = place;
        const metrics = await this.#ask(place);
        if (metrics && place.child === child) place.metrics = metrics;
      }),
    );
    return [...this.#places.flatMap(({ metrics }) => (metrics ? [metrics] : [])), await this.#kept];
  }

  #start(place: Place): Promise<void> {
    const child = fork(this.#main, {
      env: { ...this.#env, ADMIN_HOST: '127.0.0.1', ADMIN_PORT: '0', DRAIN_WAIT: '0s' },
      // A signal from a terminal goes to its whole group, and would reach them twice.
      detached: true,
    });
    Object.assign(place, { child, isReady: false, startedAtMs: this.#clock.monotonicMs() });
    return new Promise((resolve, reject) => {
      child.on('message', (message: FromRelayProcess) => {
        if (message.type === 'listening') resolve();
        else if (message.type === 'ready') this.#becameReady(place);
      });
      child.once('exit', (code, signal) => {
        reject(new StartError(`a process ended with ${signal ?? code} before it listened: see its log above`));
        this.#ended(place, { code, signal });
      });
    });
  }

  #becameReady(place: Place): void {
    place.isReady = true;
    if (this.#places.every(({ isReady }) => isReady)) this.#ready();
  }

  #ended(place: Place, how: { code: number | null; signal: string | null }): void {
    place.child = undefined;
    if (this.#stopping) return;
    const { metrics } = place;
    if (metrics) this.#kept = this.#kept.then((kept) => mergeCounters([kept, metrics]));
    place.metrics = undefined;
    if (this.#clock.monotonicMs() - place.startedAtMs > LIVED_MS) place.restartMs = FIRST_RESTART_MS;
    this.#logger.error({ ...how, restartMs: place.restartMs }, 'a relay process ended; it is started again');
    place.restart = this.#clock.after(place.restartMs, () => {
      this.#start(place).catch(() => {}); // its end is seen to
    });
    place.restartMs = Math.min(place.restartMs * 2, RESTART_CAP_MS);
  }

  #ask({ child }: Place): Promise<MetricJson[] | undefined> {
    if (!child?.connected) return Promise.resolve(undefined);
    const request = this.#nextRequest;
    this.#nextRequest += 1;
    return new Promise((resolve) => {
      const answer = (metrics?: MetricJson[]) => {
        timeout.cancel();
        child.off('message', listen);
        resolve(metrics);
      };
      const listen = (message: FromRelayProcess) => {
        if (message.type === 'metrics' && message.request === request) answer([...message.metrics]);
      };
      const timeout = this.#clock.after(METRICS_TIMEOUT_MS, () => answer());
      child.on('message', listen);
      child.send({ type: 'metrics', request } satisfies ToRelayProcess, (error) => {
        if (error) answer();
      });
    });
  }
}
