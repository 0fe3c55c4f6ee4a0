import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Environment } from '../../shared/config/env-reader.ts';
import type { Logger } from '../../shared/logger.ts';
import { type MetricJson, mergeCounters } from '../../shared/process/metrics-registry.ts';
import { StartError } from '../../shared/start-error.ts';
import type { WorkerMessage, WorkerRequest } from './relay-worker.ts';

/** Restart delay of a worker: doubles with each exit from the first value up to the cap. */
const FIRST_RESTART_MS = 200;
const RESTART_CAP_MS = 10_000;
/** Uptime after which the restart delay is back at its first value. */
const STABLE_MS = 60_000;
const METRICS_TIMEOUT_MS = 2000;

/** A worker, across its restarts. */
interface Worker {
  child: ChildProcess | undefined;
  isReady: boolean;
  startedAtMs: number;
  restartMs: number;
  restart: Timer | undefined;
  /** The last metrics received from this process. */
  metrics: MetricJson[] | undefined;
}

/**
 * Runs several relay processes on one port, for machines with several cores: the kernel distributes new connections.
 * Restarts processes that exit, and stops all of them together.
 */
export class RelaySupervisor {
  readonly #main: string;
  readonly #env: Environment;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ready: () => void;
  readonly #workers: Worker[];
  #stopping = false;
  #nextRequest = 1;
  /** The counters of exited processes: a sum without them would go down, which looks like a counter reset. */
  #exitedCounters: Promise<MetricJson[]> = Promise.resolve([]);

  /**
   * @param deps.main the file that each process runs
   * @param deps.ready called when all processes are ready at the same time
   */
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
    this.#workers = Array.from({ length: deps.count }, () => ({
      child: undefined,
      isReady: false,
      startedAtMs: 0,
      restartMs: FIRST_RESTART_MS,
      restart: undefined,
      metrics: undefined,
    }));
  }

  /**
   * Starts all processes, and resolves when each of them listens.
   * @throws {StartError} if one exits before that
   */
  async start(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => this.#start(worker)));
  }

  /** Lets all processes prepare for `stop`, which follows after `waitMs`. */
  prepareStop(waitMs: number): void {
    for (const { child } of this.#workers) {
      if (child?.connected) child.send({ type: 'prepareStop', waitMs } satisfies WorkerRequest, () => {});
    }
  }

  /** Drains and stops all processes; resolves when they have exited. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#workers.map(async ({ child, restart }) => {
        restart?.cancel();
        if (!child || child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }),
    );
  }

  /**
   * Returns the metrics of every process, and the counters of those that have exited. For a process that does not answer
   * within two seconds these are its last known metrics.
   */
  async metrics(): Promise<readonly MetricJson[][]> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        const { child } = worker;
        const metrics = await this.#requestMetrics(worker);
        if (metrics && worker.child === child) worker.metrics = metrics;
      }),
    );
    return [...this.#workers.flatMap(({ metrics }) => (metrics ? [metrics] : [])), await this.#exitedCounters];
  }

  #start(worker: Worker): Promise<void> {
    const child = fork(this.#main, {
      env: { ...this.#env, ADMIN_HOST: '127.0.0.1', ADMIN_PORT: '0', DRAIN_WAIT: '0s' },
      // A terminal signals the whole process group: a child in it would get each signal twice.
      detached: true,
    });
    Object.assign(worker, { child, isReady: false, startedAtMs: this.#clock.monotonicMs() });
    return new Promise((resolve, reject) => {
      child.on('message', (message: WorkerMessage) => {
        if (message.type === 'listening') resolve();
        else if (message.type === 'ready') this.#becameReady(worker);
      });
      child.once('exit', (code, signal) => {
        reject(new StartError(`a relay process exited with ${signal ?? code} before it listened: see its log above`));
        this.#exited(worker, { code, signal });
      });
    });
  }

  #becameReady(worker: Worker): void {
    worker.isReady = true;
    if (this.#workers.every(({ isReady }) => isReady)) this.#ready();
  }

  #exited(worker: Worker, status: { code: number | null; signal: string | null }): void {
    worker.child = undefined;
    if (this.#stopping) return;
    const { metrics } = worker;
    if (metrics) this.#exitedCounters = this.#exitedCounters.then((exited) => mergeCounters([exited, metrics]));
    worker.metrics = undefined;
    if (this.#clock.monotonicMs() - worker.startedAtMs > STABLE_MS) worker.restartMs = FIRST_RESTART_MS;
    this.#logger.error({ ...status, restartMs: worker.restartMs }, 'relay process exited; restarting it');
    worker.restart = this.#clock.after(worker.restartMs, () => {
      this.#start(worker).catch(() => {}); // `#exited` restarts it
    });
    worker.restartMs = Math.min(worker.restartMs * 2, RESTART_CAP_MS);
  }

  #requestMetrics({ child }: Worker): Promise<MetricJson[] | undefined> {
    if (!child?.connected) return Promise.resolve(undefined);
    const request = this.#nextRequest;
    this.#nextRequest += 1;
    return new Promise((resolve) => {
      const finish = (metrics?: MetricJson[]) => {
        timeout.cancel();
        child.off('message', receive);
        resolve(metrics);
      };
      const receive = (message: WorkerMessage) => {
        if (message.type === 'metrics' && message.request === request) finish([...message.metrics]);
      };
      const timeout = this.#clock.after(METRICS_TIMEOUT_MS, () => finish());
      child.on('message', receive);
      child.send({ type: 'metrics', request } satisfies WorkerRequest, (error) => {
        if (error) finish();
      });
    });
  }
}
