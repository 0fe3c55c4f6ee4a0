import { Counter, Gauge, type Registry } from 'prom-client';

/** Observes the outbox. */
export interface OutboxMetrics {
  /** Rows of this number of topics were published or refused. */
  rowsDone(batch: { rows: number; topics: number; refused: number }): void;
  /** An attempt failed and will be repeated. */
  failed(of: 'database' | 'webhook'): void;
  /** The age in seconds of the oldest row that is not published yet; 0 if there is none. */
  oldestRow(ageS: number): void;
}

/** Creates the metrics of the outbox. */
export function createOutboxMetrics(deps: { registry: Registry }): OutboxMetrics {
  const registers = [deps.registry];
  const rowsTaken = new Counter({
    name: 'outbox_rows_total',
    help: 'Rows published or refused. Panel "Rows of the outbox"',
    registers,
  });
  const topicsTaken = new Counter({
    name: 'outbox_updates_total',
    help: 'Updates published or refused: rows of the same topic share one. Panel "Rows of the outbox"',
    registers,
  });
  const refusedRows = new Counter({
    name: 'outbox_refused_rows_total',
    help: 'Rows that the webhook refused for good; they stay in the table. Panel "Rows of the outbox"; alert HeliographOutboxRefused',
    registers,
  });
  const failures = new Counter({
    name: 'outbox_failures_total',
    help: 'Failed attempts, by the part that failed: database or webhook. Panel "Rows of the outbox"; alert HeliographOutboxBehind',
    labelNames: ['of'],
    registers,
  });
  for (const of of ['database', 'webhook']) failures.inc({ of }, 0);
  const oldest = new Gauge({
    name: 'outbox_oldest_row_seconds',
    help: 'Age of the oldest row that is not published yet, when the table was read last. Panel "Oldest row of the outbox"; alert HeliographOutboxBehind',
    registers,
  });
  return {
    rowsDone({ rows, topics, refused }) {
      rowsTaken.inc(rows);
      topicsTaken.inc(topics);
      refusedRows.inc(refused);
    },
    failed: (of) => failures.inc({ of }),
    oldestRow: (ageS) => oldest.set(ageS),
  };
}
