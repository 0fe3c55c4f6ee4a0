import type { PublishAnswer } from './publish-call.ts';

/** Publishes one topic and waits for its delivery, by a token; `timeout` as in the URL. */
export function waitingCall(
  webhook: { readonly port: number },
  token: string,
  call: { topic: string; timeout?: string; data?: unknown },
): Promise<PublishAnswer> {
  const { topic, timeout = '5s', data } = call;
  return callWebhook(webhook, token, `/webhook?wait=delivered&timeout=${timeout}`, { topic, data });
}

/** Asks who has an update. */
export function receiptCall(
  webhook: { readonly port: number },
  token: string,
  update: { topic: string; version: number | string },
): Promise<PublishAnswer> {
  return callWebhook(webhook, token, `/updates/${update.version}?topic=${update.topic}`);
}

async function callWebhook(
  webhook: { readonly port: number },
  token: string,
  path: string,
  body?: unknown,
): Promise<PublishAnswer> {
  const begunAt = performance.now();
  const response = await fetch(`http://127.0.0.1:${webhook.port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    body: await response.json(),
    tookMs: performance.now() - begunAt,
  };
}
