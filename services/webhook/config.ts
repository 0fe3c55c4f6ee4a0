import type { BlockList } from 'node:net';
import { type EnvReader, isToken, TOKEN_RULE } from '../shared/config/env-reader.ts';
import { readHeaderTimeoutMs, readTrustedProxies } from '../shared/config/process-config.ts';
import { readDataTtlMs, requireRedisConfig } from '../shared/config/redis-config.ts';
import { type HostRule, readAllowedHosts } from '../shared/http/allowed-hosts.ts';
import { MIN_SECRET_BYTES } from '../shared/protocol/signing-secret.ts';
import type { Topic } from '../shared/update/topic.ts';
import { parseSigningSecret, type SigningCredential } from './credential.ts';
import { readSources, type Sources } from './sources/source.ts';

/** Any valid call fits: 100 topics with 64 KiB each. */
const MIN_STORED_BYTES = 8 * 1024 * 1024;

/** The settings of a webhook. */
export interface WebhookConfig {
  readonly host: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  /** The bearer tokens of publishers. There is at least one token, secret or source. */
  readonly tokens: readonly string[];
  /** The secrets with which publishers sign. */
  readonly secrets: readonly SigningCredential[];
  /** The senders whose calls have a form of their own. */
  readonly sources: Sources;
  /** The names under which the webhook may be called. */
  readonly isAllowedHost: HostRule;
  /** The longest time until the headers of a call are complete, in milliseconds; 0 for no limit. */
  readonly headerTimeoutMs: number;
  /** Limit of points per second for each token or secret; 0 for no limit. A call costs a point for each topic and KiB of `data`. */
  readonly pointsPerSecond: number;
  /** Limit of bytes that each token or secret stores through one webhook; 0 for no limit. */
  readonly maxStoredBytes: number;
  /** Time after which Redis deletes the `data` of an update. */
  readonly dataTtlMs: number;
  /** Proxies whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: BlockList;
  /** Limit of calls that wait for delivery or query receipts at a time. */
  readonly maxWaitingCalls: number;
  /** Whether to serve the legacy contract, which has no authentication. */
  readonly legacy: boolean;
  /** The topic that a legacy call publishes. */
  readonly defaultTopic: Topic;
}

/**
 * Reads the settings of a webhook, except those of its broker. Having no token, secret or source is a problem.
 *
 * @param fallback.token used if the environment has no token
 */
export function readWebhookConfig(env: EnvReader, fallback: { token?: string } = {}): WebhookConfig {
  const tokens = readTokens(env);
  const secrets = readSecrets(env);
  const sources = readSources(env);
  const noCredentials = tokens.length === 0 && secrets.length === 0 && sources.size === 0;
  if (noCredentials && fallback.token === undefined) {
    env.fail(
      'WEBHOOK_TOKENS',
      'must contain a token, or WEBHOOK_SECRETS a secret, or WEBHOOK_SOURCES a source: otherwise no publisher can authenticate',
    );
  }
  return Object.freeze({
    host: env.host('WEBHOOK_HOST'),
    port: env.port('WEBHOOK_PORT', 8090),
    tokens: tokens.length === 0 && fallback.token !== undefined ? Object.freeze([fallback.token]) : tokens,
    secrets,
    sources,
    isAllowedHost: readAllowedHosts(env),
    headerTimeoutMs: readHeaderTimeoutMs(env),
    pointsPerSecond: env.integer('WEBHOOK_RATE', { default: 1000, min: 0, max: 1_000_000 }),
    maxStoredBytes: readMaxStoredBytes(env),
    dataTtlMs: readDataTtlMs(env),
    trustedProxies: readTrustedProxies(env),
    maxWaitingCalls: env.integer('MAX_WAITING_CALLS', { default: 100, min: 1, max: 10_000 }),
    legacy: env.boolean('LEGACY_WEBHOOK', false),
    defaultTopic: env.topic('DEFAULT_TOPIC', 'default'),
  });
}

function readTokens(env: EnvReader): readonly string[] {
  const tokens = env.list('WEBHOOK_TOKENS');
  if (tokens.some((token) => !isToken(token))) {
    env.fail('WEBHOOK_TOKENS', `must contain tokens of ${TOKEN_RULE}`);
  }
  if (new Set(tokens).size < tokens.length) env.fail('WEBHOOK_TOKENS', 'must not contain the same token twice');
  return tokens;
}

function readMaxStoredBytes(env: EnvReader): number {
  const bytes = env.bytes('WEBHOOK_STORAGE', { default: '64MiB' });
  if (bytes !== 0 && bytes < MIN_STORED_BYTES)
    env.fail('WEBHOOK_STORAGE', 'must be 0B, or at least 8MiB: one call may store 7MiB');
  return bytes;
}

function readSecrets(env: EnvReader): readonly SigningCredential[] {
  const secrets = env.list('WEBHOOK_SECRETS').map(parseSigningSecret);
  const known = secrets.filter((secret) => secret !== undefined);
  if (known.length < secrets.length) {
    env.fail(
      'WEBHOOK_SECRETS',
      `must contain secrets such as whsec_<base64> of at least ${MIN_SECRET_BYTES} bytes, or whsec_<base64>@chat/*|news to permit only some topics`,
    );
  }
  if (new Set(known.map(({ id }) => id)).size < known.length) {
    env.fail(
      'WEBHOOK_SECRETS',
      'must not contain the same secret twice: join its topics, as in whsec_<base64>@chat/*|news',
    );
  }
  return Object.freeze(known);
}

/** Reads the settings of a process that is a webhook only, which requires Redis. */
export function readWebhookProcessConfig(env: EnvReader) {
  return { webhook: readWebhookConfig(env), redis: requireRedisConfig(env) };
}
