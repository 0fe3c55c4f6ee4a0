import { CLOSE_CODES } from '../shared/protocol/close-codes.ts';
import { MAX_SSE_TOPICS } from './sse-line.ts';
import { LOST, type OpenLine, type TransportName } from './transport.ts';

/** A transport that has worked here is given up after so many lines in a row that said nothing. */
const PATIENCE = 3;
/** The next transport is tried within so long. */
const NEXT_MS = 500;
/** After how long a better one is tried: each time that it fails, four times as long. */
const CLIMB_MS = 60_000;
const CLIMB_CAP_MS = 3_600_000;

/** What a choice of transports needs. */
export interface TransportChoiceDeps {
  /** The ways to open a line, best first. */
  readonly openers: readonly (readonly [name: TransportName, open: OpenLine])[];
  /** Where what worked is remembered; undefined where nothing can be kept. */
  readonly memory: Pick<Storage, 'getItem' | 'setItem'> | undefined;
  readonly key: string;
}

/** Opens lines over the best transport that works here, and goes on looking for a better one. */
export function createTransportChoice({ openers, memory, key }: TransportChoiceDeps): OpenLine {
  const remembered = openers.findIndex(([name]) => name === memory?.getItem(key));
  let index = Math.max(0, remembered);
  let patience = remembered < 0 ? 1 : PATIENCE;
  let climbs = 0;

  function pick(topics: number): OpenLine | undefined {
    const chosen = openers[index];
    const other = topics > MAX_SSE_TOPICS && chosen?.[0] === 'sse' && openers.find(([name]) => name === 'longpoll');
    return (other || chosen)?.[1];
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
      memory?.setItem(key, openers[index]?.[0] ?? '');
    } catch {
      // It is full, or may not be used: then it is found out again.
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
      const delayMs = Math.min(CLIMB_CAP_MS, CLIMB_MS * 4 ** climbs) * (1 + Math.random() / 2);
      climb = setTimeout(() => {
        climbs += 1;
        index = 0;
        patience = 1;
        options.closed(CLOSE_CODES.drain, '0');
      }, delayMs);
    }

    const open = pick(options.topics.size) as OpenLine;
    const line = open({
      ...options,
      message(message) {
        if (!worked) {
          worked = true;
          remember();
          if (index > 0) climbLater();
          else climbs = 0;
        }
        options.message(message);
      },
      closed(code, reason) {
        if (code !== LOST) worked = true; // it was the relay that said so
        if (end()) options.closed(CLOSE_CODES.drain, String(Math.floor(Math.random() * NEXT_MS)));
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
