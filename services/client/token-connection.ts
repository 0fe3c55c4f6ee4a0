import { DRAIN, FULL, UNAUTHORIZED } from '../shared/protocol/close-codes.ts';
import type { ServerMessage } from '../shared/protocol/server-message.ts';
import { Backoff } from './backoff.ts';
import { MAX_TIMER_MS, RENEW_AFTER, RENEW_JITTER, RETRY_MS } from './timings.ts';
import {
  ABNORMAL_CLOSURE,
  type Connection,
  type ConnectionOptions,
  type OpenConnection,
  type TransportConnection,
} from './transport.ts';

type Token = string | null | undefined;

type LoadToken = () => Token | Promise<Token>;

/** A JWT, or a function that returns one or a promise of one; undefined, null and '' mean to connect without. */
export type TokenOption = string | null | LoadToken;

/**
 * Returns a function that opens authenticated connections. A token from a function is kept across connections and renewed well before
 * it expires. If the relay rejects it, the connection ends, and the next one loads another.
 */
export function openWithToken(
  option: TokenOption | undefined,
  open: OpenConnection<TransportConnection>,
): OpenConnection {
  if (typeof option !== 'function') return (options) => open({ ...options, token: option || undefined });
  const cache: TokenCache = { load: option };
  return (options) => openRenewing(cache, open, options);
}

/** The newest token of the app, kept across connections. */
interface TokenCache {
  readonly load: LoadToken;
  token?: string | undefined;
  /** Undefined if the token has no expiry, or one that this clock takes for past: then the relay rejects it in time. */
  renewAtMs?: number | undefined;
}

/** Loads a token into the cache if it has none, or one that is due for renewal. Rejects if the app's function fails. */
async function refresh(cache: TokenCache): Promise<void> {
  if (cache.token && Date.now() < (cache.renewAtMs ?? Infinity)) return;
  cache.token = (await cache.load()) || undefined;
  cache.renewAtMs = renewalTimeOf(cache.token);
}

/** Opens a connection once a token is loaded, and sends each renewed token on it. */
function openRenewing(
  cache: TokenCache,
  open: OpenConnection<TransportConnection>,
  options: ConnectionOptions,
): Connection {
  const backoff = new Backoff();
  /** The newest token that the relay has accepted, or that renewed one: nothing tells whether it was accepted. */
  let accepted = cache.token;
  let sent: string | undefined;
  let connection: TransportConnection | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;

  /** Opens the connection with the current token, or sends that on the open one, and schedules its renewal. */
  async function authenticate(): Promise<void> {
    try {
      await refresh(cache);
      if (sent !== cache.token) backoff.reset();
      sent = cache.token;
    } catch {
      if (!isClosed) failed();
      return;
    }
    if (isClosed) return;
    if (connection) accepted = sent;
    if (sent) connection?.auth(sent);
    connection ??= open({
      ...options,
      token: sent,
      message,
      closed: (code, reason) => (code === UNAUTHORIZED ? rejected() : end(code, reason)),
    });
    const { renewAtMs } = cache;
    if (renewAtMs) authenticateAfter(Math.min(renewAtMs - Date.now(), MAX_TIMER_MS));
  }

  function failed(): void {
    options.message({ type: 'error', code: 'token_failed' });
    if (connection) authenticateAfter(backoff.nextMs());
    else end(ABNORMAL_CLOSURE);
  }

  function authenticateAfter(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(authenticate, ms);
  }

  function message(message: ServerMessage): void {
    if (message.type === 'subscribed') accepted = sent;
    const code = message.type === 'error' && message.code;
    // Until the relay can verify the new token, the one before stays valid.
    if (code === 'keys_unavailable') authenticateAfter(backoff.nextMs());
    if (code === 'unauthorized' && sent) rejected();
    else options.message(message);
  }

  /** Ends the connection: for a moment if a token has expired, for longer if the first one was refused: the next may be no better. */
  function rejected(): void {
    cache.token = undefined;
    if (sent && sent === accepted) {
      // After a renewal, it may also be the token before that has expired.
      end(DRAIN, `${Math.random() * RETRY_MS}`);
    } else {
      options.message({ type: 'error', code: 'unauthorized' });
      end(FULL);
    }
  }

  function end(code: number, reason = ''): void {
    if (isClosed) return;
    close();
    options.closed(code, reason);
  }

  function close(): void {
    isClosed = true;
    clearTimeout(timer);
    connection?.close();
  }

  void authenticate();
  return {
    subscribe: (topics) => connection?.subscribe(topics),
    unsubscribe: (topics) => connection?.unsubscribe(topics),
    ping: () => connection?.ping(),
    close,
  };
}

/** Returns when to renew a JWT by its `exp`, which is not verified; undefined if it has none or it has passed. */
function renewalTimeOf(token: string | undefined): number | undefined {
  try {
    const [, payload] = (token as string).split('.') as [string, string];
    const leftMs = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).exp * 1000 - Date.now();
    if (leftMs > 0) return Date.now() + leftMs * (RENEW_AFTER + RENEW_JITTER * Math.random());
  } catch {
    // It is not a JWT.
  }
  return undefined;
}
