import { Webhook } from 'standardwebhooks';
import { Backoff } from './backoff.ts';

/** What an app needs to publish: one of `secret` and `token`. */
export interface PublisherOptions {
  /** The webhook's address, such as `http://webhook:8090/webhook`. */
  readonly url: string;
  /** One of the webhook's `WEBHOOK_SECRETS`: `whsec_<base64>`. */
  readonly secret?: string | undefined;
  /** One of the webhook's `WEBHOOK_TOKENS`. */
  readonly token?: string | undefined;
  /** For how long `publish` tries, in milliseconds (10,000). */
  readonly timeoutMs?: number;
  /** Is told of each failure after which a call is made again. */
  readonly retrying?: ((error: PublishError) => void) | undefined;
}

/** What comes along with an update. */
export interface PublishBody {
  /** A full snapshot of the topic as any JSON, never a delta. */
  readonly data?: unknown;
  /** Milliseconds over which clients should spread their refetch; otherwise the relays decide (`ORIGIN_RPS`). */
  readonly spread?: number;
}

/** What the webhook is asked for, and told, beside the update. */
export interface PublishCall {
  /** Whether and how long to wait until every relay has handed the update over: up to 30,000 ms. */
  readonly deliveredWithinMs?: number | undefined;
  /** What this is a part of, as W3C Trace Context says it: the webhook and the relays record their parts under it. */
  readonly traceparent?: string | undefined;
}

/** The version that a topic got. */
export interface PublishedUpdate {
  readonly topic: string;
  readonly version: number;
}

/** An update that was not accepted, or not delivered in time. It may have got through all the same; again is harmless. */
export class PublishError extends Error {
  /** The HTTP status of the last answer; 0 where there was none; 202 where it was published, and not delivered in time. */
  readonly status: number;
  /** The webhook's error code; empty where it gave none. */
  readonly code: string;

  constructor(message: string, answer: { status: number; code: string }, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PublishError';
    this.status = answer.status;
    this.code = answer.code;
  }
}

const TRY_MS = 5000;
const MAY_PASS: readonly number[] = [0, 408, 425, 429, 500, 502, 503, 504];

/**
 * Tells Heliograph that topics have changed, from an app that runs in Node 20 or newer. Save first, then publish.
 * Signs each call after Standard Webhooks, and repeats it under the same id while the webhook cannot be reached.
 */
export class Publisher {
  readonly #url: string;
  readonly #webhook: Webhook | undefined;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;
  readonly #retrying: ((error: PublishError) => void) | undefined;

  constructor(options: PublisherOptions) {
    const { url, secret, token, timeoutMs = 10_000 } = options;
    if ((secret === undefined) === (token === undefined)) throw new TypeError('a publisher needs a secret or a token');
    this.#url = url;
    this.#webhook = secret === undefined ? undefined : new Webhook(secret);
    this.#token = token;
    this.#timeoutMs = timeoutMs;
    this.#retrying = options.retrying;
  }

  /**
   * Resolves with the versions, in the order of the topics, once nobody who listens can miss the update any
   * more; with `deliveredWithinMs`, up to 30,000, once every relay has handed it over. Rejects with a `PublishError` where
   * the webhook refuses, or cannot be reached in time, or not every relay has handed it over in time.
   */
  async publish(
    topics: string | readonly string[],
    body: PublishBody = {},
    { deliveredWithinMs: waitMs = 0, traceparent }: PublishCall = {},
  ): Promise<readonly PublishedUpdate[]> {
    const text = JSON.stringify({ topics: [topics].flat(), ...body });
    const id = `msg_${crypto.randomUUID()}`;
    const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
    const url = new URL(this.#url);
    if (waitMs > 0) {
      url.searchParams.set('wait', 'delivered');
      url.searchParams.set('timeout', `${Math.ceil(waitMs)}ms`);
    }
    const deadline = Date.now() + this.#timeoutMs + waitMs;
    const backoff = new Backoff({ firstMs: 200, capMs: 2000 });
    for (;;) {
      try {
        return await this.#call({ url, id, text, headers }, Math.min(TRY_MS + waitMs, deadline - Date.now()));
      } catch (error) {
        const delayMs = backoff.nextMs();
        if (!(error instanceof PublishError && MAY_PASS.includes(error.status))) throw error;
        if (Date.now() + delayMs >= deadline) throw error;
        this.#retrying?.(error);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  async #call(
    call: { url: URL; id: string; text: string; headers: Readonly<Record<string, string>> },
    timeoutMs: number,
  ): Promise<readonly PublishedUpdate[]> {
    const { url, id, text, headers } = call;
    let response: Response;
    let answer: unknown;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers, ...this.#credentials(id, text) },
        body: text,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      answer = await response.json();
    } catch (cause) {
      throw new PublishError('the webhook cannot be reached', { status: 0, code: '' }, { cause });
    }
    const { updates, code = '' } = answer as { updates?: readonly PublishedUpdate[]; code?: string };
    if (response.status === 202) throw new PublishError('not every relay has delivered in time', { status: 202, code });
    if (response.ok && updates) return updates;
    throw new PublishError(`the webhook answered ${response.status} ${code}`, { status: response.status, code });
  }

  #credentials(id: string, text: string): Record<string, string> {
    if (!this.#webhook) return { authorization: `Bearer ${this.#token}`, 'webhook-id': id };
    const now = new Date();
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': this.#webhook.sign(id, now, text),
    };
  }
}
