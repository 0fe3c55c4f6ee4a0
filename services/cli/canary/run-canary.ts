import { SYSTEM_CLOCK } from '../../shared/clock.ts';
import type { Environment } from '../../shared/config/env-reader.ts';
import { runProcess } from '../../shared/process/run-process.ts';
import { Canary, type CanaryConfig } from './canary.ts';
import { createCanaryMetrics } from './canary-metrics.ts';

/** Runs a canary as this process, with an admin port as every service. It is ready once an update was received. */
export function runCanary(config: CanaryConfig, env: Environment): Promise<void> {
  return runProcess({
    name: 'canary',
    env,
    defaultAdminPort: 9105,
    readConfig: () => config,
    ports: () => [],
    async main({ lifecycle, logger, registry, health }) {
      const canary = new Canary({
        config,
        metrics: createCanaryMetrics({ registry }),
        logger,
        clock: SYSTEM_CLOCK,
        succeeded: health.require('delivery'),
      });
      await lifecycle.start('canary', canary);
      const { webhookUrl, relayUrl, topic } = config;
      logger.info({ webhookUrl, relayUrl, topic }, 'publishing and receiving updates');
    },
  });
}
