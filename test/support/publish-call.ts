/** A webhook's answer, and how long it took. */
export interface PublishAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly retryAfter: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  readonly body: any;
  readonly tookMs: number;
}

/** Publishes as a web app does, by a token. */
export async function publishCall(
  webhook: { readonly port: number },
  token: string,
  message: unknown,
): Promise<PublishAnswer> {
  const begunAt = performance.now();
  const response = await fetch(`http://127.0.0.1:${webhook.port}/webhook`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(message),
  });
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    body: await response.json(),
    tookMs: performance.now() - begunAt,
  };
}
