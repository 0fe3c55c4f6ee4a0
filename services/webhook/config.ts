import type { EnvReader } from '../shared/config/env-reader.ts';
import { readHeaderTimeoutMs } from '../shared/config/process-config.ts';
import { requireRedisConfig } from '../shared/config/redis-config.ts';
import type { Topic } from '../shared/update/topic.ts';
import { parseSigningSecret, type SigningCredential } from './credential.ts';

/** What a webhook service needs to know. */
export interface WebhookConfig {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The bearer tokens of publishers; there is at least one token or secret. */
  readonly tokens: readonly string[];
  /** The secrets with which publishers sign. */
  readonly secrets: readonly SigningCredential[];
  /** How long the head of a call may take to come; 0 for no limit. */
  readonly headerTimeoutMs: number;
  /** Calls a second for each token or secret; 0 for no limit. */
  readonly callsPerSecond: number;
  /** Calls that may wait for relays at a time. */
  readonly maxWaitingCalls: number;
  /** Whether the contract of 2009, which knows no credentials, is served too. */
  readonly legacy: boolean;
  /** What a call of 2009 publishes. */
  readonly defaultTopic: Topic;
}

/**
 * Reads what a webhook needs, but for its broker. Without any token nobody could publish, or anybody:
 * that is a problem, unless the caller brings a token, which is taken where the environment has none.
 */
export function readWebhookConfig(env: EnvReader, fallback: { token?: string } = {}): WebhookConfig {
  const tokens = env.list('WEBHOOK_TOKENS');
  const secrets = readSecrets(env);
  const nobody = tokens.length === 0 && secrets.length === 0;
  if (nobody && fallback.token === undefined) {
    env.fail(
      'WEBHOOK_TOKENS',
      'must hold at least one token, or WEBHOOK_SECRETS a secret: without any, nobody may publish',
    );
  }
  if (tokens.some((token) => !/^[\x21-\x7e]+$/.test(token))) {
    env.fail('WEBHOOK_TOKENS', 'must hold tokens of printable ASCII without spaces: others cannot be sent in a header');
  }
  return Object.freeze({
    host: env.string('WEBHOOK_HOST', '0.0.0.0'),
    port: env.port('WEBHOOK_PORT', 8090),
    tokens: tokens.length === 0 && fallback.token !== undefined ? Object.freeze([fallback.token]) : tokens,
    secrets,
    headerTimeoutMs: readHeaderTimeoutMs(env),
    callsPerSecond: env.integer('WEBHOOK_RATE', { default: 1000, min: 0, max: 1_000_000 }),
    maxWaitingCalls: env.integer('MAX_WAITING_CALLS', { default: 100, min: 1, max: 10_000 }),
    legacy: env.boolean('LEGACY_WEBHOOK', false),
    defaultTopic: env.topic('DEFAULT_TOPIC', 'default'),
  });
}

function readSecrets(env: EnvReader): readonly SigningCredential[] {
  const secrets = env.list('WEBHOOK_SECRETS').map(parseSigningSecret);
  const known = secrets.filter((secret) => secret !== undefined);
  if (known.length < secrets.length) {
    env.fail(
      'WEBHOOK_SECRETS',
      'must hold secrets such as whsec_<base64>, or whsec_<base64>@chat/*|news for some topics only',
    );
  }
  return Object.freeze(known);
}

/** Reads what the process of a single webhook needs: it must be told where Redis is. */
export function readWebhookProcessConfig(env: EnvReader) {
  return { webhook: readWebhookConfig(env), redis: requireRedisConfig(env) };
}
