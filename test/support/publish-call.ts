import { type Elapsed, startStopwatch } from './elapsed.ts';

/** The response of a webhook, and the duration of the call. */
export interface PublishAnswer extends Elapsed {
  readonly status: number;
  readonly contentType: string | null;
  readonly retryAfter: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  readonly body: any;
}

interface Webhook {
  readonly port: number;
}

/** Publishes as a web app does, with a bearer token. Throws if the webhook refuses: the update would seem to be lost. */
export async function publishCall(webhook: Webhook, token: string, message: unknown): Promise<PublishAnswer> {
  const answer = await attemptCall(webhook, token, message);
  if (answer.status !== 200) throw new Error(`the webhook refused to publish: ${answer.status} ${answer.body.code}`);
  return answer;
}

/** Tries to publish: the webhook may refuse. */
export function attemptCall(webhook: Webhook, token: string, message: unknown): Promise<PublishAnswer> {
  return callWebhook(webhook, token, '/webhook', message);
}

/** Publishes one topic and waits for its delivery; `timeout` as in the URL. */
export function waitingCall(
  webhook: Webhook,
  token: string,
  call: { topic: string; timeout?: string },
): Promise<PublishAnswer> {
  const { topic, timeout = '5s' } = call;
  return callWebhook(webhook, token, `/webhook?wait=delivered&timeout=${timeout}`, { topic });
}

/** Requests the delivery receipts of an update. */
export function receiptCall(
  webhook: Webhook,
  token: string,
  update: { topic: string; version: number },
): Promise<PublishAnswer> {
  return callWebhook(webhook, token, `/updates/${update.version}?topic=${update.topic}`);
}

async function callWebhook(webhook: Webhook, token: string, path: string, message?: unknown): Promise<PublishAnswer> {
  const stopwatch = startStopwatch();
  const authorization = `Bearer ${token}`;
  const json = { 'content-type': 'application/json' };
  const response = await fetch(
    `http://127.0.0.1:${webhook.port}${path}`,
    message === undefined
      ? { headers: { authorization } }
      : { method: 'POST', headers: { authorization, ...json }, body: JSON.stringify(message) },
  );
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    body: await response.json(),
    ...stopwatch.stop(),
  };
}
