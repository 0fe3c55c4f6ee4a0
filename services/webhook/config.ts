import type { EnvReader } from '../shared/config/env-reader.ts';
import { requireRedisConfig } from '../shared/config/redis-config.ts';
import { isTopic, type Topic } from '../shared/update/topic.ts';

/** What a webhook service needs to know. */
export interface WebhookConfig {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The bearer tokens of publishers: at least one. */
  readonly tokens: readonly string[];
  /** Whether the contract of 2009, which knows no credentials, is served too. */
  readonly legacy: boolean;
  /** What a call of 2009 publishes. */
  readonly defaultTopic: Topic;
}

/**
 * Reads what a webhook needs, but for its broker. Without any token nobody could publish, or anybody:
 * that is a problem, unless the caller brings a token for this case.
 */
export function readWebhookConfig(env: EnvReader, fallback: { token?: string } = {}): WebhookConfig {
  const tokens = env.list('WEBHOOK_TOKENS');
  if (tokens.length === 0 && fallback.token === undefined) {
    env.fail('WEBHOOK_TOKENS', 'must hold at least one token: without any, nobody may publish');
  }
  if (tokens.some((token) => !/^[\x21-\x7e]+$/.test(token))) {
    env.fail('WEBHOOK_TOKENS', 'must hold tokens of printable ASCII without spaces: others cannot be sent in a header');
  }
  const defaultTopic = env.string('DEFAULT_TOPIC', 'default');
  if (!isTopic(defaultTopic)) env.fail('DEFAULT_TOPIC', 'must be a topic: 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -');
  return Object.freeze({
    host: env.string('WEBHOOK_HOST', '0.0.0.0'),
    port: env.port('WEBHOOK_PORT', 8090),
    tokens: tokens.length === 0 && fallback.token !== undefined ? Object.freeze([fallback.token]) : tokens,
    legacy: env.boolean('LEGACY_WEBHOOK', false),
    defaultTopic: defaultTopic as Topic,
  });
}

/** Reads what the process of a single webhook needs: it must be told where Redis is. */
export function readWebhookProcessConfig(env: EnvReader) {
  return { webhook: readWebhookConfig(env), redis: requireRedisConfig(env) };
}
