import { createChatMetrics } from '../../services/chat/metrics.ts';
import { createCanaryMetrics } from '../../services/cli/canary/canary-metrics.ts';
import { createOutboxMetrics } from '../../services/outbox/metrics.ts';
import { RelayTelemetry } from '../../services/relay/telemetry/relay-telemetry.ts';
import { createBrokerMetrics } from '../../services/shared/broker/metrics.ts';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { createLogger } from '../../services/shared/logger.ts';
import { createMetricsRegistry, type MetricsRegistry } from '../../services/shared/process/metrics-registry.ts';
import { createStatsMetrics } from '../../services/stats/metrics.ts';
import { createWebhookMetrics } from '../../services/webhook/metrics.ts';

/** Creates a registry with every metric of every process, without values. */
export function createFullRegistry(): MetricsRegistry {
  const registry = createMetricsRegistry({ service: 'tests' });
  const logger = createLogger({ name: 'tests', level: 'silent' });
  const telemetry = new RelayTelemetry({ registry, logger, clock: SYSTEM_CLOCK });
  telemetry.observe({ server: { sockets: 0 }, hub: { topics: 0, dataBytes: 0, digestAgeMs: 0 }, sessions: new Set() });
  createWebhookMetrics({ registry, logger });
  createChatMetrics({ registry });
  createOutboxMetrics({ registry });
  createCanaryMetrics({ registry });
  createBrokerMetrics({ registry, logger });
  createStatsMetrics({ registry });
  return registry;
}
