import { SYSTEM_CLOCK } from '../shared/clock.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readOutboxConfig } from './config.ts';
import { createOutboxMetrics } from './metrics.ts';
import { OutboxWorker } from './outbox-worker.ts';
import { PostgresOutboxTable } from './postgres-outbox-table.ts';
import { createCallWebhook } from './webhook-call.ts';

await runProcess({
  name: 'outbox',
  env: process.env,
  defaultAdminPort: 9104,
  readConfig: readOutboxConfig,
  ports: () => [],
  async main({ config, lifecycle, logger, registry, health }) {
    const { databaseUrl: url, batchRows, pollMs } = config;
    const worker: OutboxWorker = new OutboxWorker({
      table: new PostgresOutboxTable({ url, batchRows, woken: () => worker.wake() }),
      call: createCallWebhook({
        url: config.webhookUrl ?? 'http://localhost:8090/webhook',
        credential: config.credential,
        timeoutMs: config.webhookTimeoutMs,
      }),
      pollMs,
      clock: SYSTEM_CLOCK,
      logger,
      report: createOutboxMetrics({ registry }),
      connected: health.require('database'),
    });
    await lifecycle.start('outbox', worker);
    logger.info('publishing the rows of heliograph_outbox');
  },
});
