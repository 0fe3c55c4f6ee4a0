import { DRAIN } from '../shared/protocol/close-codes.ts';
import { Backoff } from './backoff.ts';
import { FAILURES_BEFORE_FALLBACK, FALLBACK_DELAY_MS, MAX_SSE_TOPICS, UPGRADE_CAP_MS, UPGRADE_MS } from './timings.ts';
import { ABNORMAL_CLOSURE, type OpenConnection, type TokenConnection, type TransportName } from './transport.ts';

type Opener = readonly [name: TransportName, open: OpenConnection<TokenConnection>];

/** What a choice of transports needs. */
export interface TransportChoiceDeps {
  /** The ways to open a line, best first. */
  readonly openers: readonly Opener[];
  /** Under which name `sessionStorage` keeps which of them worked, where there is one that may be used. */
  readonly key: string;
}

/** Opens lines over the best transport that works here, and goes on looking for a better one. */
export function createTransportChoice({ openers, key }: TransportChoiceDeps): OpenConnection<TokenConnection> {
  const climbs = new Backoff({ firstMs: UPGRADE_MS, capMs: UPGRADE_CAP_MS });
  let patience = 1;
  let index = 0;
  try {
    index = Number(sessionStorage.getItem(key)) % openers.length || 0;
  } catch {
    // There is none, or it may not be used.
  }

  /** The transport whose turn it is, or the next one where there are too many topics for it. */
  function pick(topics: number): OpenConnection<TokenConnection> {
    const [own, next] = openers.slice(index) as [Opener, Opener?];
    return (own[0] === 'sse' && topics > MAX_SSE_TOPICS && next ? next : own)[1];
  }

  /** Turns to the next transport where it is time; whether that may be tried at once. */
  function failed(): boolean {
    patience -= 1;
    if (patience > 0) return false;
    patience = 1;
    index = (index + 1) % openers.length;
    return index > 0;
  }

  function remember(): void {
    patience = FAILURES_BEFORE_FALLBACK;
    try {
      sessionStorage.setItem(key, String(index));
    } catch {
      // As above, or it is full: then it is found out again.
    }
  }

  return (options) => {
    let worked = false;
    let climb: ReturnType<typeof setTimeout> | undefined;

    /** Notes how a line ends; whether another transport may be tried at once. */
    function end(): boolean {
      clearTimeout(climb);
      const isFailure = !worked;
      worked = true;
      return isFailure && failed();
    }

    function climbLater(): void {
      climb = setTimeout(() => {
        index = 0;
        patience = 1;
        options.closed(DRAIN, '0');
      }, UPGRADE_MS + climbs.nextMs());
    }

    const line = pick(options.topics.size)({
      ...options,
      message(message) {
        if (!worked) {
          worked = true;
          remember();
          if (index > 0) climbLater();
          else climbs.reset();
        }
        options.message(message);
      },
      closed(code, reason) {
        if (code !== ABNORMAL_CLOSURE) worked = true; // it was the relay that said so
        if (end()) options.closed(DRAIN, String(Math.floor(Math.random() * FALLBACK_DELAY_MS)));
        else options.closed(code, reason);
      },
    });
    const close = line.close.bind(line);
    line.close = () => {
      end();
      close();
    };
    return line;
  };
}
