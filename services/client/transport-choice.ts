import { DRAIN } from '../shared/protocol/close-codes.ts';
import { Backoff } from './backoff.ts';
import { CLIMB_CAP_MS, CLIMB_MS, MAX_SSE_TOPICS, NEXT_TRANSPORT_MS, PATIENCE } from './numbers.ts';
import { LOST, type OpenLine, type TokenLine, type TransportName } from './transport.ts';

type Opener = readonly [name: TransportName, open: OpenLine<TokenLine>];

/** What a choice of transports needs. */
export interface TransportChoiceDeps {
  /** The ways to open a line, best first. */
  readonly openers: readonly Opener[];
  /** Under which name `sessionStorage` keeps which of them worked, where there is one that may be used. */
  readonly key: string;
}

/** Opens lines over the best transport that works here, and goes on looking for a better one. */
export function createTransportChoice({ openers, key }: TransportChoiceDeps): OpenLine<TokenLine> {
  const climbs = new Backoff({ firstMs: CLIMB_MS, capMs: CLIMB_CAP_MS });
  let patience = 1;
  let index = 0;
  try {
    index = Number(sessionStorage.getItem(key)) % openers.length || 0;
  } catch {
    // There is none, or it may not be used.
  }

  /** The transport whose turn it is, or the next one where there are too many topics for it. */
  function pick(topics: number): OpenLine<TokenLine> {
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
    patience = PATIENCE;
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
      }, CLIMB_MS + climbs.nextMs());
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
        if (code !== LOST) worked = true; // it was the relay that said so
        if (end()) options.closed(DRAIN, String(Math.floor(Math.random() * NEXT_TRANSPORT_MS)));
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
