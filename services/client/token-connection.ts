import { FULL, UNAUTHORIZED } from '../shared/protocol/close-codes.ts';
import { Backoff } from './backoff.ts';
import { MAX_TIMER_MS, RENEW_AFTER, RENEW_JITTER } from './timings.ts';
import { ABNORMAL_CLOSURE, type OpenConnection, type TokenConnection } from './transport.ts';

/** A token, or what gets one: undefined where there is none at the moment. */
export type TokenOption = string | (() => string | undefined | Promise<string | undefined>);

/**
 * Opens lines that show a token. One that a function gave is kept for the next line, and renewed well before it
 * expires; where the relay does not take it, the line ends as if it had been lost, and the next one shows another.
 */
export function openWithToken(option: TokenOption | undefined, open: OpenConnection<TokenConnection>): OpenConnection {
  if (typeof option !== 'function') return (options) => open({ ...options, token: option });
  const ask = option;
  let kept: string | undefined;
  /** Undefined where it does not say, or this machine's clock is wrong: then the relay says when. */
  let renewAtMs: number | undefined;

  async function get(): Promise<string | undefined> {
    if (kept === undefined || (renewAtMs && Date.now() >= renewAtMs)) {
      kept = await ask();
      const leftMs = leftMsOf(kept);
      renewAtMs = leftMs > 0 ? Date.now() + leftMs * (RENEW_AFTER + RENEW_JITTER * Math.random()) : undefined;
    }
    return kept;
  }

  return (options) => {
    const backoff = new Backoff();
    /** The newest token that the relay has taken. */
    let good = kept;
    let shown: string | undefined;
    let line: TokenConnection | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isClosed = false;

    function close(): void {
      isClosed = true;
      clearTimeout(timer);
      line?.close();
    }

    function closed(code: number, reason: string): void {
      if (isClosed) return;
      close();
      options.closed(code, reason);
    }

    /** A token that was good until now has expired. Where one was got only now, the next may be no better. */
    function refused(): void {
      kept = undefined;
      const hasExpired = shown !== undefined && shown === good;
      if (!hasExpired) options.message({ type: 'error', code: 'unauthorized' });
      closed(hasExpired ? ABNORMAL_CLOSURE : FULL, '');
    }

    /** Gets a token and shows it, on a line that is opened with it or on the one that stands. */
    async function show(): Promise<void> {
      try {
        shown = await get();
      } catch {
        if (isClosed) return;
        options.message({ type: 'error', code: 'token_failed' }); // it is the app's own function that failed
        if (line) timer = setTimeout(show, backoff.nextMs());
        else closed(ABNORMAL_CLOSURE, '');
        return;
      }
      if (isClosed) return;
      if (line && shown !== undefined) line.auth(shown);
      line ??= open({
        ...options,
        token: shown,
        message(message) {
          if (message.type === 'error' && message.code === 'unauthorized' && shown !== undefined) return refused();
          if (message.type === 'subscribed') good = shown;
          if (message.type === 'error' && message.code === 'keys_unavailable') {
            clearTimeout(timer);
            timer = setTimeout(show, backoff.nextMs()); // the token before counts on
          }
          options.message(message);
        },
        closed(code, reason) {
          if (code === UNAUTHORIZED) refused();
          else closed(code, reason);
        },
      });
      if (renewAtMs) timer = setTimeout(show, Math.min(renewAtMs - Date.now(), MAX_TIMER_MS));
    }

    void show();
    return {
      subscribe: (topics) => line?.subscribe(topics),
      unsubscribe: (topics) => line?.unsubscribe(topics),
      ping: () => line?.ping(),
      close,
    };
  };
}

/** How long a JWT is good by its `exp`, which is not judged; 0 where it does not say. */
function leftMsOf(token: string | undefined): number {
  try {
    const [, payload] = (token as string).split('.') as [string, string];
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).exp * 1000 - Date.now();
  } catch {
    return 0;
  }
}
