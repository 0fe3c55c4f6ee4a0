import { Webhook } from 'standardwebhooks';
import { AppError } from '../../shared/errors.ts';
import { parseSecretKey } from '../../shared/protocol/signing-secret.ts';

const TIMEOUT_MS = 10_000;

/** What the form of the developers' page sends. */
export interface PublishForm {
  readonly topic: string;
  /** JSON; empty for none. */
  readonly data: string;
  /** A bearer token, or a signing secret. */
  readonly credential: string;
}

/** The answer of the webhook. */
export interface PublishAnswer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Calls the webhook as any publisher does, with the credential from the form, which is kept nowhere.
 *
 * @param url the webhook's address of `POST /webhook`
 * @throws {AppError} invalid_json if `data` is not JSON; broker_unavailable if the webhook does not answer
 */
export async function callWebhook(url: string, { topic, data, credential }: PublishForm): Promise<PublishAnswer> {
  const body = JSON.stringify({ topic, ...(data.trim() !== '' && { data: parseData(data) }) });
  const headers = { 'Content-Type': 'application/json', ...credentialHeaders(credential, body) };
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' });
    return { status: response.status, body: await response.json() };
  } catch (cause) {
    throw new AppError('broker_unavailable', 'The webhook of this process does not answer', { cause });
  }
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('invalid_json', 'The data is not JSON: a text needs quotes');
  }
}

/** Signs after Standard Webhooks if the credential is a signing secret. */
function credentialHeaders(credential: string, body: string): Record<string, string> {
  const key = parseSecretKey(credential.trim());
  // What no header can contain is no token of a webhook either.
  if (key === undefined) return { Authorization: `Bearer ${credential.trim().replace(/[^\x21-\x7e]/g, '?')}` };
  const [id, now] = [crypto.randomUUID(), new Date()];
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(Buffer.from(key, 'base64'), { format: 'raw' }).sign(id, now, body),
  };
}
