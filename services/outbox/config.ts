import type { EnvReader } from '../shared/config/env-reader.ts';
import { readWebhookAccess, type WebhookAccess } from '../shared/config/webhook-access.ts';

/** The settings of an outbox service. */
export interface OutboxConfig extends WebhookAccess {
  /** The URL of the database, with its credentials. */
  readonly databaseUrl: string;
  /** The longest time between two looks at the table, in milliseconds. */
  readonly pollMs: number;
  /** Limit of rows that are published together. */
  readonly batchRows: number;
}

/** Reads the settings of an outbox service. */
export function readOutboxConfig(env: EnvReader): OutboxConfig {
  return Object.freeze({
    databaseUrl: readDatabaseUrl(env),
    ...readWebhookAccess(env),
    pollMs: env.durationMs('OUTBOX_POLL', { default: '5s', minMs: 100, maxMs: 3_600_000 }),
    batchRows: env.integer('OUTBOX_BATCH', { default: 500, min: 1, max: 1000 }),
  });
}

function readDatabaseUrl(env: EnvReader): string {
  const url = env.optional('DATABASE_URL');
  if (url === undefined || !/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    env.fail(
      'DATABASE_URL',
      'must be a URL that starts with postgres://, such as postgres://user:password@host/database',
    );
  }
  return url ?? '';
}
