import { MIN_SECRET_BYTES, parseSecretKey } from '../protocol/signing-secret.ts';
import { namesTopics } from '../protocol/webhook-url.ts';
import type { EnvReader } from './env-reader.ts';

/** Authenticates a process at the webhook: it signs its calls, or sends a bearer token. */
export type WebhookCredential = { readonly secret: string } | { readonly token: string };

/** How a process calls the webhook. */
export interface WebhookAccess {
  /** Undefined for the webhook of this machine. */
  readonly webhookUrl: string | undefined;
  /** Deadline of a call, in milliseconds. */
  readonly webhookTimeoutMs: number;
  readonly credential: WebhookCredential;
}

/**
 * Reads how to call the webhook. One credential is required: a missing or second one is reported to `env`.
 *
 * @param fallback.secret used if the environment sets neither secret nor token
 */
export function readWebhookAccess(env: EnvReader, fallback: { secret?: string } = {}): WebhookAccess {
  const url = env.url('WEBHOOK_URL', { default: '' });
  if (namesTopics(url)) env.fail('WEBHOOK_URL', 'must not name a topic: it ends with /webhook');
  return Object.freeze({
    webhookUrl: url || undefined,
    webhookTimeoutMs: env.durationMs('WEBHOOK_TIMEOUT', { default: '3s', minMs: 100, maxMs: 30_000 }),
    credential: readCredential(env, fallback.secret),
  });
}

function readCredential(env: EnvReader, fallback: string | undefined): WebhookCredential {
  const secret = env.optional('WEBHOOK_SECRET');
  const token = env.token('WEBHOOK_TOKEN');
  if (secret !== undefined && token !== undefined) {
    env.fail('WEBHOOK_TOKEN', 'must not be set together with WEBHOOK_SECRET: one credential is used');
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
