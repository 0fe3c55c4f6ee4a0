import { DRAIN } from '../shared/protocol/close-codes.ts';
import { Backoff } from './backoff.ts';
import { MAX_SSE_TOPICS } from './sse-line.ts';
import { LOST, type OpenLine, type TransportName } from './transport.ts';

/** A transport that has worked here is given up after so many lines in a row that said nothing. */
const PATIENCE = 3;
/** The next transport is tried within so long. */
const NEXT_MS = 500;
/** After how long a better one is tried: at least, and in doubt longer each time that it fails. */
const CLIMB_MS = 60_000;
const CLIMB_CAP_MS = 3_600_000;

/** What a choice of transports needs. */
export interface TransportChoiceDeps {
  /** The ways to open a line, best first. */
  readonly openers: readonly (readonly [name: TransportName, open: OpenLine])[];
  /** Under which name `sessionStorage` keeps which of them worked, where there is one that may be used. */
  readonly key: string;
}

/** Opens lines over the best transport that works here, and goes on looking for a better one. */
export function createTransportChoice({ openers, key }: TransportChoiceDeps): OpenLine {
  const climbs = new Backoff({ firstMs: CLIMB_MS, capMs: CLIMB_CAP_MS });
  let patience = 1;
  let index = 0;
  try {
    index = Number(sessionStorage.getItem(key)) % openers.length || 0;
  } catch {
    // There is none, or it may not be used.
  }

  function pick(topics: number): OpenLine | undefined {
    const isTooMuch = openers[index]?.[0] === 'sse' && topics > MAX_SSE_TOPICS;
    return (isTooMuch && openers[index + 1]?.[1]) || openers[index]?.[1];
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

    const open = pick(options.topics.size) as OpenLine;
    const line = open({
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
        if (end()) options.closed(DRAIN, String(Math.floor(Math.random() * NEXT_MS)));
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
