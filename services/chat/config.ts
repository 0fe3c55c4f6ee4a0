import type { BlockList } from 'node:net';
import type { EnvReader } from '../shared/config/env-reader.ts';
import { readHeaderTimeoutMs, readRelayUrl, readTrustedProxies } from '../shared/config/process-config.ts';
import { readWebhookAccess, type WebhookAccess } from '../shared/config/webhook-access.ts';
import { type HostRule, readAllowedHosts } from '../shared/http/allowed-hosts.ts';
import type { Topic } from '../shared/update/topic.ts';

/** Configuration of the chat. Durations are in milliseconds. */
export interface ChatConfig extends WebhookAccess {
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
    relayUrl: readRelayUrl(env),
    ...readWebhookAccess(env, fallback),
  });
}
