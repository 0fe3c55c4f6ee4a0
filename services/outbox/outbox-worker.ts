import { Backoff } from '../client/backoff.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import type { Logger } from '../shared/logger.ts';
import type { OutboxMetrics } from './metrics.ts';
import type { BatchResult, OutboxRow, PostgresOutboxTable } from './postgres-outbox-table.ts';
import { publishRows } from './publish-rows.ts';
import { type CallWebhook, WebhookCallError } from './webhook-call.ts';

/** Bounds of the delay after a failure, in milliseconds. */
const FIRST_RETRY_MS = 500;
const RETRY_CAP_MS = 10_000;

/** Publishes the rows of the table until it is stopped: when it is woken, at an interval, and again after failures. */
export class OutboxWorker {
  readonly #table: Pick<PostgresOutboxTable, 'takeBatch' | 'oldestAgeS' | 'close'>;
  readonly #call: CallWebhook;
  readonly #pollMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #report: OutboxMetrics;
  readonly #connected: () => void;
  readonly #backoff: Backoff;
  #failing = false;
  #woken = false;
  #endWait: (() => void) | undefined;
  #stopped = false;
  #run: Promise<void> | undefined;

  /** @param deps.connected called when the table was read */
  constructor(deps: {
    table: Pick<PostgresOutboxTable, 'takeBatch' | 'oldestAgeS' | 'close'>;
    call: CallWebhook;
    pollMs: number;
    clock: Clock;
    logger: Logger;
    report: OutboxMetrics;
    connected: () => void;
  }) {
    this.#table = deps.table;
    this.#call = deps.call;
    this.#pollMs = deps.pollMs;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#report = deps.report;
    this.#connected = deps.connected;
    this.#backoff = new Backoff({ firstMs: FIRST_RETRY_MS, capMs: RETRY_CAP_MS, random: () => deps.clock.random() });
  }

  start(): void {
    this.#run = this.#work();
  }

  /** Looks at the table soon, unless the last attempt failed. */
  wake(): void {
    this.#woken = true;
    if (!this.#failing) this.#endWait?.();
  }

  /** Finishes the current batch, and closes the connection. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endWait?.();
    await this.#run;
    await this.#table.close();
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      try {
        await this.#publishAll();
        this.#succeeded();
        if (!this.#woken) await this.#wait(this.#pollMs);
      } catch (error) {
        this.#failed(error);
        await this.#wait(this.#backoff.nextMs());
      }
    }
  }

  async #publishAll(): Promise<void> {
    while (!this.#stopped) {
      this.#report.oldestRow(await this.#table.oldestAgeS());
      this.#connected();
      const { published, refused, failure } = await this.#table.takeBatch((rows) => this.#publish(rows));
      if (failure) throw failure;
      if (published.length + refused.size === 0) return;
    }
  }

  async #publish(rows: readonly OutboxRow[]): Promise<BatchResult> {
    const result = await publishRows(rows, { call: this.#call, nowMs: () => this.#clock.monotonicMs() });
    for (const [code, ids] of result.refused) {
      this.#logger.error({ code, rows: ids.length }, 'the webhook refuses updates for good; see the column refused');
    }
    const refused = [...result.refused.values()].flat();
    const done = new Set([...result.published, ...refused]);
    const topics = new Set(rows.filter(({ id }) => done.has(id)).map(({ topic }) => topic));
    this.#report.rowsDone({ rows: done.size, topics: topics.size, refused: refused.length });
    return result;
  }

  #succeeded(): void {
    if (this.#failing) this.#logger.info('publishing again');
    this.#failing = false;
    this.#backoff.reset();
  }

  #failed(error: unknown): void {
    const of = error instanceof WebhookCallError ? 'webhook' : 'database';
    this.#report.failed(of);
    if (!this.#failing) this.#logger.warn({ err: error }, `cannot publish because of the ${of}; trying again`);
    this.#failing = true;
  }

  #wait(delayMs: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.after(delayMs, resolve);
      this.#endWait = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
