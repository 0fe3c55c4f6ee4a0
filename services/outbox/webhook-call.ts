import { Webhook } from 'standardwebhooks';
import type { WebhookCredential } from '../shared/config/webhook-access.ts';

/** Publishes a body as it is. Resolves with the error code if the webhook will never accept it; undefined if it has. */
export type CallWebhook = (body: string) => Promise<string | undefined>;

/** A call that may succeed later. */
export class WebhookCallError extends Error {}

/** Codes that depend on the body alone. With others, such as those of wrong credentials, the call may succeed later. */
const FINAL_CODES = ['topic_forbidden', 'invalid_topic', 'invalid_json', 'invalid_request', 'body_too_large'];

/** Creates the function that publishes bodies, which rejects with `WebhookCallError`. */
export function createCallWebhook(deps: {
  url: string;
  credential: WebhookCredential;
  timeoutMs: number;
}): CallWebhook {
  const { url, credential, timeoutMs } = deps;
  const webhook = 'secret' in credential ? new Webhook(credential.secret) : undefined;

  function authenticate(body: string): Record<string, string> {
    if ('token' in credential) return { authorization: `Bearer ${credential.token}` };
    const [id, now] = [`msg_${crypto.randomUUID()}`, new Date()];
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': webhook?.sign(id, now, body) ?? '',
    };
  }

  return async (body) => {
    let response: Response;
    let code: unknown;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authenticate(body) },
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      code = Object(await response.json()).code;
    } catch (cause) {
      throw new WebhookCallError('the webhook cannot be reached', { cause });
    }
    if (response.status === 200) return undefined;
    if (typeof code === 'string' && FINAL_CODES.includes(code)) return code;
    throw new WebhookCallError(
      `the webhook answered ${response.status} ${typeof code === 'string' ? code : ''}`.trim(),
    );
  };
}
