import { DRAIN } from '../shared/protocol/close-codes.ts';
import { Backoff } from './backoff.ts';
import { MAX_SSE_TOPICS } from './sse-connection.ts';
import { FAILURES_BEFORE_FALLBACK, FALLBACK_DELAY_MS, UPGRADE_CAP_MS, UPGRADE_MS } from './timings.ts';
import {
  ABNORMAL_CLOSURE,
  type ConnectionOptions,
  type OpenConnection,
  type TransportConnection,
  type TransportName,
} from './transport.ts';

type Timer = ReturnType<typeof setTimeout>;
type Opener = readonly [name: TransportName, open: OpenConnection<TransportConnection>];

/** Dependencies of a choice of transports. */
export interface TransportChoiceDeps {
  /** The permitted transports, best first; at least one. */
  readonly openers: readonly Opener[];
  /** The key in `sessionStorage` under which the transport that worked is remembered, if the browser permits. */
  readonly key: string;
}

/** The current transport and its record of success. */
interface TransportChoice {
  /** Opens a connection over the current transport, or over the next one if that cannot carry the number of topics. */
  readonly open: OpenConnection<TransportConnection>;
  /**
   * Remembers that the current transport works. If it is not the best one, selects that after a while and calls `upgrade`,
   * unless the returned timer is cleared.
   */
  succeeded(upgrade: () => void): Timer | undefined;
  /** Counts a failed connection. Returns whether this selected a next transport, to be tried without backoff. */
  failed(): boolean;
}

/** Returns a function that opens connections over the best transport that works here, and tries a better one from time to time. */
export function createTransportChoice({ openers, key }: TransportChoiceDeps): OpenConnection<TransportConnection> {
  const upgrades = new Backoff({ firstMs: UPGRADE_MS, capMs: UPGRADE_CAP_MS });
  let failuresLeft = 1;
  let index = 0;
  try {
    index = Number(sessionStorage.getItem(key)) % openers.length || 0;
  } catch {
    // There is no storage, or access is denied.
  }

  const choice: TransportChoice = {
    open(options) {
      const [current, next] = openers.slice(index) as [Opener, Opener?];
      return (current[0] === 'sse' && options.topics.size > MAX_SSE_TOPICS && next ? next : current)[1](options);
    },
    succeeded(upgrade) {
      failuresLeft = FAILURES_BEFORE_FALLBACK;
      try {
        sessionStorage.setItem(key, `${index}`);
      } catch {
        // As above, or the storage is full.
      }
      if (index > 0) {
        const switchToBest = () => {
          index = 0;
          failuresLeft = 1;
          upgrade();
        };
        return setTimeout(switchToBest, UPGRADE_MS + upgrades.nextMs());
      }
      upgrades.reset();
      return undefined;
    },
    failed() {
      failuresLeft -= 1;
      if (failuresLeft > 0) return false;
      failuresLeft = 1;
      index = (index + 1) % openers.length;
      return index > 0;
    },
  };
  return (options) => openReporting(choice, options);
}

/** Opens a connection that reports to the choice whether its transport works. */
function openReporting(choice: TransportChoice, options: ConnectionOptions): TransportConnection {
  /** Whether success or failure has been reported. */
  let isReported = false;
  let upgradeTimer: Timer | undefined;

  const connection = choice.open({
    ...options,
    message(message) {
      if (!isReported) {
        isReported = true;
        upgradeTimer = choice.succeeded(() => options.closed(DRAIN, '0'));
      }
      options.message(message);
    },
    closed(code, reason) {
      if (code !== ABNORMAL_CLOSURE) isReported = true; // a relay closed it, so the transport reaches one
      if (end()) options.closed(DRAIN, `${Math.random() * FALLBACK_DELAY_MS}`);
      else options.closed(code, reason);
    },
  });

  /** Reports a failure if nothing was reported yet. Returns whether another transport may be tried at once. */
  function end(): boolean {
    clearTimeout(upgradeTimer);
    const isFailure = !isReported;
    isReported = true;
    return isFailure && choice.failed();
  }

  return {
    subscribe: (topics) => connection.subscribe(topics),
    unsubscribe: (topics) => connection.unsubscribe(topics),
    ping: () => connection.ping(),
    auth: (token) => connection.auth(token),
    close() {
      end();
      connection.close();
    },
  };
}
