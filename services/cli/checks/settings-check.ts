import { readChatConfig } from '../../chat/config.ts';
import { readOutboxConfig } from '../../outbox/config.ts';
import { readRelayConfig, readRelayProcessConfig } from '../../relay/config.ts';
import { ConfigError, type ConfigProblem } from '../../shared/config/config-error.ts';
import { type Environment, EnvReader } from '../../shared/config/env-reader.ts';
import { type ProcessConfig, readProcessConfig } from '../../shared/config/process-config.ts';
import { type RedisConfig, readRedisConfig } from '../../shared/config/redis-config.ts';
import type { ListenAddress } from '../../shared/start-error.ts';
import { readStatsConfig } from '../../stats/config.ts';
import { readWebhookConfig, readWebhookProcessConfig } from '../../webhook/config.ts';
import type { Check } from './check.ts';

/** The settings of a service, as far as they can be checked from outside. */
export interface ServiceSettings {
  readonly own: ProcessConfig;
  readonly redis: RedisConfig | undefined;
  readonly ports: readonly ListenAddress[];
  /** The limit of clients of a relay; 0 for none, undefined for other services. */
  readonly maxConnections?: number;
  readonly problems: readonly ConfigProblem[];
}

export const SERVICE_NAMES = ['start', 'relay', 'webhook', 'chat', 'outbox'] as const;

export type ServiceName = (typeof SERVICE_NAMES)[number];

const ADMIN_PORTS: Readonly<Record<ServiceName, number>> = {
  start: 9101,
  relay: 9101,
  webhook: 9102,
  chat: 9103,
  outbox: 9104,
};

/** Stands for the credentials that `start` creates. */
const OWN_TOKEN = 'a-token-that-start-creates';
const OWN_SECRET = `whsec_${Buffer.alloc(32).toString('base64')}`;

/** Reads the settings of a service as it does itself, and keeps the problems instead of throwing them. */
export function readServiceSettings(service: ServiceName, env: Environment): ServiceSettings {
  const reader = new EnvReader(env);
  const own = readProcessConfig(reader, { adminPort: ADMIN_PORTS[service] });
  const settings = readSettings(service, reader);
  if (service !== 'outbox') readStatsConfig(reader);
  const admin = { host: own.adminHost, port: own.adminPort, setting: 'ADMIN' };
  return { own, ...settings, ports: [admin, ...settings.ports], problems: problemsOf(reader) };
}

function readSettings(service: ServiceName, env: EnvReader): Omit<ServiceSettings, 'own' | 'problems'> {
  const port = (setting: string, { host, port }: ListenAddress): ListenAddress => ({ host, port, setting });
  switch (service) {
    case 'start': {
      const relay = readRelayConfig(env, { drainWindow: '1s' });
      const ports = [
        port('WEBHOOK', readWebhookConfig(env, { token: OWN_TOKEN })),
        port('RELAY', relay),
        port('CHAT', readChatConfig(env, { secret: OWN_SECRET })),
      ];
      return { redis: readRedisConfig(env), ports, maxConnections: relay.admission.maxConnections };
    }
    case 'relay': {
      const { relay, redis } = readRelayProcessConfig(env);
      return { redis, ports: [port('RELAY', relay)], maxConnections: relay.admission.maxConnections };
    }
    case 'webhook': {
      const { webhook, redis } = readWebhookProcessConfig(env);
      return { redis, ports: [port('WEBHOOK', webhook)] };
    }
    case 'chat':
      return { redis: readRedisConfig(env), ports: [port('CHAT', readChatConfig(env))] };
    case 'outbox':
      readOutboxConfig(env);
      return { redis: undefined, ports: [] };
  }
}

/** Returns a line for each problem of the settings. */
export function checkSettings({ problems }: ServiceSettings): readonly Check[] {
  if (problems.length === 0) return [{ status: 'ok', name: 'settings', text: 'valid' }];
  return problems.map(({ name, problem }) => ({ status: 'fail', name: 'settings', text: `${name} ${problem}` }));
}

function problemsOf(reader: EnvReader): readonly ConfigProblem[] {
  try {
    reader.finish();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
