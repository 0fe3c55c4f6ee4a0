import { Webhook } from 'standardwebhooks';

/** The signing secret that webhooks accept in tests. */
export const WEBHOOK_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/**
 * Returns the headers of a signed call.
 *
 * @param options.ageS age of the timestamp in seconds; negative for a timestamp ahead
 */
export function signedHeaders(
  body: string | Buffer,
  options: { id?: string; secret?: string; ageS?: number } = {},
): Record<string, string> {
  const { id = `msg_${crypto.randomUUID()}`, secret = WEBHOOK_SECRET, ageS = 0 } = options;
  const at = new Date(Date.now() - ageS * 1000);
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
}
