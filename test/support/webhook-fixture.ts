import { BlockList } from 'node:net';
import { type Clock, SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { createLogger } from '../../services/shared/logger.ts';
import { createMetricsRegistry, type MetricsRegistry } from '../../services/shared/process/metrics-registry.ts';
import type { ServiceStats } from '../../services/shared/trace/service-stats.ts';
import { parseTopic } from '../../services/shared/update/topic.ts';
import type { WebhookConfig } from '../../services/webhook/config.ts';
import { createWebhook, type WebhookBroker } from '../../services/webhook/webhook.ts';
import { RecordingBroker } from './recording-broker.ts';
import { WEBHOOK_TOKEN } from './tokens.ts';

/** A running webhook on loopback. */
export interface RunningWebhook {
  readonly url: string;
  readonly port: number;
  readonly registry: MetricsRegistry;
  /** The log lines so far; and those that are not about refused calls. */
  readonly log: readonly string[];
  readonly otherLog: readonly string[];
  stop(): Promise<void>;
}

/** Starts a webhook on a free port. */
export async function startWebhook(
  options: {
    broker?: WebhookBroker;
    config?: Partial<WebhookConfig>;
    stats?: ServiceStats;
    clock?: Partial<Clock>;
  } = {},
): Promise<RunningWebhook> {
  const log: string[] = [];
  const registry = createMetricsRegistry({ service: 'webhook' });
  const webhook = createWebhook({
    config: {
      host: '127.0.0.1',
      port: 0,
      tokens: [WEBHOOK_TOKEN],
      secrets: [],
      sources: new Map(),
      isAllowedHost: () => true,
      headerTimeoutMs: 10_000,
      pointsPerSecond: 0,
      maxStoredBytes: 0,
      dataTtlMs: 3_600_000,
      trustedProxies: new BlockList(),
      maxWaitingCalls: 2,
      legacy: false,
      defaultTopic: parseTopic('default'),
      ...options.config,
    },
    broker: options.broker ?? new RecordingBroker(),
    clock: { ...SYSTEM_CLOCK, ...options.clock },
    registry,
    ...(options.stats && { stats: options.stats }),
    logger: createLogger({ name: 'webhook', level: 'info', destination: { write: (line) => void log.push(line) } }),
  });
  const port = await webhook.start();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    registry,
    log,
    get otherLog() {
      return log.filter((line) => !line.includes('"refusing requests"'));
    },
    stop: () => webhook.stop(),
  };
}
