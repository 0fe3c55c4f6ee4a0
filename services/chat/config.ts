import type { BlockList } from 'node:net';
import type { EnvReader } from '../shared/config/env-reader.ts';
import { readHeaderTimeoutMs, readTrustedProxies } from '../shared/config/process-config.ts';
import { type HostRule, readAllowedHosts } from '../shared/http/allowed-hosts.ts';
import { MIN_SECRET_BYTES, parseSecretKey } from '../shared/protocol/signing-secret.ts';
import type { Topic } from '../shared/update/topic.ts';

/** Authenticates the chat at the webhook: it signs its calls, or sends a bearer token. */
export type ChatCredential = { readonly secret: string } | { readonly token: string };

/** Configuration of the chat. Durations are in milliseconds. */
export interface ChatConfig {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Names under which the chat may be called. */
  readonly isAllowedHost: HostRule;
  /** Proxies whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: BlockList;
  /** Limit of comments a minute from one address; 0 for none. */
  readonly commentsPerMinute: number;
  /** Time limit for the head of a request; 0 for none. */
  readonly headerTimeoutMs: number;
  /** SQLite file; `:memory:` for none. */
  readonly database: string;
  readonly topic: Topic;
  /** URL of the relay for browsers, without a slash at the end; undefined for the host of the page. */
  readonly relayUrl: string | undefined;
  /** URL of the webhook; undefined for this machine. */
  readonly webhookUrl: string | undefined;
  readonly webhookTimeoutMs: number;
  readonly credential: ChatCredential;
}

/**
 * Reads the configuration of the chat. One credential is required: a missing or second one is reported to `env`.
 *
 * @param fallback.secret used if the environment sets neither secret nor token
 */
export function readChatConfig(env: EnvReader, fallback: { secret?: string } = {}): ChatConfig {
  return Object.freeze({
    host: env.host('CHAT_HOST'),
    port: env.port('CHAT_PORT', 8000),
    isAllowedHost: readAllowedHosts(env),
    trustedProxies: readTrustedProxies(env),
    commentsPerMinute: env.integer('COMMENT_RATE', { default: 60, max: 1_000_000 }),
    headerTimeoutMs: readHeaderTimeoutMs(env),
    database: env.string('CHAT_DB', 'chat.db'),
    topic: env.topic('CHAT_TOPIC', 'chat'),
    relayUrl: readUrl(env, 'RELAY_PUBLIC_URL')?.replace(/\/+$/, ''),
    webhookUrl: readUrl(env, 'WEBHOOK_URL'),
    webhookTimeoutMs: env.durationMs('WEBHOOK_TIMEOUT', { default: '3s', minMs: 100, maxMs: 30_000 }),
    credential: readCredential(env, fallback.secret),
  });
}

function readUrl(env: EnvReader, name: string): string | undefined {
  return env.url(name, { default: '' }) || undefined;
}

function readCredential(env: EnvReader, fallback: string | undefined): ChatCredential {
  const secret = env.optional('WEBHOOK_SECRET');
  const token = env.token('WEBHOOK_TOKEN');
  if (secret !== undefined && token !== undefined) {
    env.fail('WEBHOOK_TOKEN', 'must not be set together with WEBHOOK_SECRET: the chat uses one credential');
  }
  if (secret !== undefined && parseSecretKey(secret) === undefined) {
    env.fail('WEBHOOK_SECRET', `must be a secret such as whsec_<base64> of at least ${MIN_SECRET_BYTES} bytes`);
  }
  if (secret !== undefined) return Object.freeze({ secret });
  if (token !== undefined) return Object.freeze({ token });
  if (fallback === undefined) {
    env.fail('WEBHOOK_SECRET', 'must be one of the secrets of the webhook, or WEBHOOK_TOKEN one of its tokens');
  }
  return Object.freeze({ secret: fallback ?? '' });
}
