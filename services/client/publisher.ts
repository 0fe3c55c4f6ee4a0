import { Webhook } from 'standardwebhooks';
import { formatVersions, type TopicVersion, VERSION_HEADER } from '../shared/protocol/version-header.ts';
import { namesTopics } from '../shared/protocol/webhook-url.ts';
import { Backoff } from './backoff.ts';

/** Options of a publisher: the address, and either `secret` or `token`. */
export interface PublisherOptions {
  /** The webhook's address, such as `http://webhook:8090/webhook`. */
  readonly url: string;
  /** One of the webhook's `WEBHOOK_SECRETS`, `whsec_<base64>`: calls are signed. */
  readonly secret?: string | undefined;
  /** One of the webhook's `WEBHOOK_TOKENS`: calls carry it as a bearer token. */
  readonly token?: string | undefined;
  /** How long `publish` retries, in milliseconds, in addition to `deliveredWithinMs`. Default: 10,000. */
  readonly timeoutMs?: number;
  /** Called with each failure before a retry, for logging. */
  readonly retrying?: ((error: PublishError) => void) | undefined;
}

/** Optional content of an update. */
export interface PublishBody {
  /** A full snapshot of the topic as any JSON, never a delta: clients may skip versions. */
  readonly data?: unknown;
  /** Milliseconds over which clients should spread their fetches. Default: the relays decide by `ORIGIN_RPS`. */
  readonly spread?: number;
}

/** Options of one call. */
export interface PublishCall {
  /** How long to wait until every relay has delivered the update, in milliseconds, at most 30,000. Default: 0, no wait. */
  readonly deliveredWithinMs?: number | undefined;
  /** The trace of the caller (W3C Trace Context): webhook and relays record their spans as part of it. */
  readonly traceparent?: string | undefined;
}

/** The version that a topic received. */
export interface PublishedUpdate {
  readonly topic: string;
  /** Increases with each update of the topic. */
  readonly version: number;
  /** A version of the topic with no update between it and `version`. Absent if the webhook is older than 0.3.0. */
  readonly previous?: number;
}

/**
 * A call that failed for good, or an update that was not delivered in time. The update may have been published all the
 * same; publishing it again is harmless.
 */
export class PublishError extends Error {
  /** HTTP status of the last response; 0 if there was none; 202 if the update was published but not delivered in time. */
  readonly status: number;
  /** The webhook's error code; empty if it sent none. */
  readonly code: string;
  /** What the caller has to change, in words; empty if the webhook sent nothing. */
  readonly detail: string;

  constructor(message: string, answer: { status: number; code: string; detail?: string }, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PublishError';
    this.status = answer.status;
    this.code = answer.code;
    this.detail = answer.detail ?? '';
  }
}

/** One call of the webhook. */
interface Call {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The members of an answer: updates, versions, or an error. */
interface Answer {
  readonly updates?: unknown;
  readonly versions?: unknown;
  readonly code?: string;
  readonly detail?: string;
}

/**
 * Returns the header by which a response tells the page its versions: those that `publish` returned for the response to a
 * write, those of `versions` for content. Other origins need `Access-Control-Expose-Headers: Heliograph-Version` too.
 *
 * @example
 * ```js
 * response.set(versionHeaders(await publisher.publish('chat'))).json(comment);
 * ```
 */
export function versionHeaders(versions: readonly TopicVersion[]): { readonly 'Heliograph-Version': string } {
  return { [VERSION_HEADER]: formatVersions(versions) };
}

const TRY_MS = 5000;
const RETRYABLE: readonly number[] = [0, 408, 425, 429, 500, 502, 503, 504];

/**
 * Publishes updates from an app that runs in Node 20 or newer: first save the change, then publish it. Calls follow Standard
 * Webhooks, and are retried under the same id while the webhook is unreachable, so that each is published once.
 *
 * @example
 * ```js
 * const publisher = new Publisher({ url: 'http://webhook:8090/webhook', secret: webhookSecret });
 * const [{ version }] = await publisher.publish('chat', { data: { n: 1 } });
 * ```
 */
export class Publisher {
  readonly #url: string;
  readonly #webhook: Webhook | undefined;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;
  readonly #retrying: ((error: PublishError) => void) | undefined;

  /** @throws {TypeError} unless exactly one of `secret` and `token` is given, and if `url` names a topic */
  constructor(options: PublisherOptions) {
    const { url, secret, token, timeoutMs = 10_000 } = options;
    if ((secret === undefined) === (token === undefined)) throw new TypeError('a publisher needs a secret or a token');
    if (namesTopics(url)) throw new TypeError('the URL of a publisher must not name a topic: it ends with /webhook');
    this.#url = url;
    this.#webhook = secret === undefined ? undefined : new Webhook(secret);
    this.#token = token;
    this.#timeoutMs = timeoutMs;
    this.#retrying = options.retrying;
  }

  /**
   * Publishes one update of each topic. Resolves once no subscriber can miss it any more; with `deliveredWithinMs`, once every
   * relay has delivered it.
   *
   * @param topics one topic, or at most 100
   * @returns the versions, in the order of the topics
   * @throws {PublishError} if the webhook rejects the call, is unreachable for `timeoutMs`, or not every relay has delivered
   *   the update in time (status 202)
   * @example
   * ```js
   * await publisher.publish(['app/version', 'news'], {}, { deliveredWithinMs: 10_000 });
   * ```
   */
  async publish(
    topics: string | readonly string[],
    body: PublishBody = {},
    { deliveredWithinMs: waitMs = 0, traceparent }: PublishCall = {},
  ): Promise<readonly PublishedUpdate[]> {
    const text = JSON.stringify({ topics: [topics].flat(), ...body });
    const url = new URL(this.#url);
    if (waitMs > 0) {
      url.searchParams.set('wait', 'delivered');
      url.searchParams.set('timeout', `${Math.ceil(waitMs)}ms`);
    }
    const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
    const answer = await this.#retry({ url, method: 'POST', text, headers }, waitMs);
    return (answer as { updates: readonly PublishedUpdate[] }).updates;
  }

  /**
   * Returns the current version of each topic. Call it before reading the content that the response to a page has, and send
   * the page the versions with `versionHeaders`: the content is at least as new.
   *
   * @param topics one topic, or at most 100
   * @throws {PublishError} if the webhook rejects the call, or is unreachable for `timeoutMs`
   * @example
   * ```js
   * const versions = await publisher.versions('chat');
   * response.set(versionHeaders(versions)).json(await loadComments());
   * ```
   */
  async versions(topics: string | readonly string[]): Promise<readonly PublishedUpdate[]> {
    const url = new URL('updates/current', this.#url);
    for (const topic of [topics].flat()) url.searchParams.append('topic', topic);
    const answer = await this.#retry({ url, method: 'GET', text: '', headers: {} }, 0);
    return (answer as { versions: readonly PublishedUpdate[] }).versions;
  }

  /** Calls the webhook under one id until it answers. Returns the body of its answer. */
  async #retry(call: Call, waitMs: number): Promise<unknown> {
    const id = `msg_${crypto.randomUUID()}`;
    const deadline = Date.now() + this.#timeoutMs + waitMs;
    const backoff = new Backoff({ firstMs: 200, capMs: 2000 });
    for (;;) {
      try {
        return await this.#call(call, id, Math.ceil(Math.min(TRY_MS + waitMs, deadline - Date.now())));
      } catch (error) {
        const delayMs = backoff.nextMs();
        if (!(error instanceof PublishError && RETRYABLE.includes(error.status))) throw error;
        if (Date.now() + delayMs >= deadline) throw error;
        this.#retrying?.(error);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  async #call({ url, method, text, headers }: Call, id: string, timeoutMs: number): Promise<unknown> {
    let response: Response;
    let body: string;
    try {
      response = await fetch(url, {
        method,
        headers: { 'content-type': 'application/json', ...headers, ...this.#credentials(id, text) },
        ...(text && { body: text }),
        redirect: 'error',
        signal: AbortSignal.timeout(Math.max(0, timeoutMs)),
      });
      body = await response.text();
    } catch (cause) {
      throw new PublishError('the webhook cannot be reached', { status: 0, code: '' }, { cause });
    }
    const answer = parseAnswer(body);
    const { updates, versions, code = '', detail = '' } = answer;
    if (response.status === 202) throw new PublishError('not every relay has delivered in time', { status: 202, code });
    if (response.ok && (updates || versions)) return answer;
    throw new PublishError(`the webhook answered ${response.status} ${code}`.trimEnd(), {
      status: response.status,
      code,
      detail,
    });
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

/** Parses the body of a response. One of a proxy, or of another service, is no JSON object, and has no members. */
function parseAnswer(body: string): Answer {
  try {
    return Object(JSON.parse(body)) as Answer;
  } catch {
    return {};
  }
}
