import { type Environment, EnvReader } from '../shared/config/env-reader.ts';
import { readWebhookAccess, type WebhookCredential } from '../shared/config/webhook-access.ts';

const DEFAULT_RELAY_URL = 'http://localhost:8080';
const DEFAULT_WEBHOOK_URL = 'http://localhost:8090/webhook';

/** Options that replace variables of the environment. */
interface GivenOptions {
  /** Address of a relay. */
  readonly relay?: string | undefined;
  /** Address of the webhook. */
  readonly url?: string | undefined;
  /** Bearer token of the webhook. */
  readonly token?: string | undefined;
}

/** Creates a reader of the environment in which the options of a command replace variables. */
export function readerWith(env: Environment, { relay, url, token }: GivenOptions): EnvReader {
  return new EnvReader({
    ...env,
    ...(relay && { RELAY_URL: relay }),
    ...(url && { WEBHOOK_URL: url }),
    ...(token && { WEBHOOK_TOKEN: token, WEBHOOK_SECRET: '' }),
  });
}

/** Reads the address of a relay. */
export function readRelayUrl(reader: EnvReader): string {
  return reader.url('RELAY_URL', { default: DEFAULT_RELAY_URL });
}

/** Reads how to call the webhook. */
export function readWebhook(reader: EnvReader): { webhookUrl: string; credential: WebhookCredential } {
  const { webhookUrl = DEFAULT_WEBHOOK_URL, credential } = readWebhookAccess(reader);
  return { webhookUrl, credential };
}
