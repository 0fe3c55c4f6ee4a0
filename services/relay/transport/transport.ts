import type { AppError } from '../../shared/errors.ts';
import type { CloseCode } from '../../shared/protocol/close-codes.ts';
import type { TransportName } from '../../shared/protocol/transport-name.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';

/** Upper bound of MAX_MESSAGE_SIZE, the longest client message, in bytes. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/**
 * One client's connection. Never queues without bound: a send method returns false if the client reads too slowly. Then
 * nothing was sent, and `ConnectionOwner.drained` follows when sending is possible again.
 */
export interface Connection {
  readonly transport: TransportName;
  /** Whether the client can send messages, such as a token. */
  readonly acceptsMessages: boolean;
  /** Whether the client spreads its refetch by itself. If not, paced deliveries leave it out. */
  readonly supportsSpread: boolean;
  /** Bytes that wait in our buffer because the client reads too slowly; 1 if only that some do is known. */
  readonly bufferedBytes: number;
  /** Starts the delivery of the topic's updates to this connection. */
  subscribe(topic: Topic): void;
  unsubscribe(topic: Topic): void;
  /** Confirms subscriptions with the current versions; null for a topic while the relay is stale. */
  sendSubscribed(versions: ReadonlyMap<Topic, Version | null>): boolean;
  sendUpdate(update: Update): boolean;
  sendFreshness(fresh: boolean): boolean;
  sendPong(): boolean;
  sendError(code: string, topic?: Topic): boolean;
  /** Closes the connection. The owner's `closed` is called before or after this returns, but never before `Accept` returned. */
  close(code: CloseCode, reason: string): void;
}

/** All connections of one transport. */
export interface Transport {
  /**
   * Sends an update to all subscribers of its topic and returns their number. A paced update skips clients that cannot
   * spread their refetch themselves.
   */
  deliver(update: Update, paced: boolean): number;
  /** Notifies all clients that the relay has become fresh or stale. */
  sendFreshness(fresh: boolean): void;
}

/** Receives the events of one connection. */
export interface ConnectionOwner {
  /** A text message within the size limit. */
  message(text: string): void;
  /** A ping, or any message of a legacy client: shows only that the client is alive. */
  alive(): void;
  /** A delivered update was not sent because of backpressure. May be called during `Transport.deliver`. */
  fellBehind(): void;
  /** Sending is possible again, after `fellBehind` or a send that returned false. */
  drained(): void;
  /** Whether what the client was sent of a topic is proven current now. A process that stood still learns that from here first. */
  isFresh(topic: Topic): boolean;
  closed(): void;
}

/** What a client asks for in the URL and headers of its request. */
export interface ConnectRequest {
  /** The topics to subscribe to, with the version that the client has; null if it did not send one. */
  readonly topics: ReadonlyMap<Topic, Version | null>;
  readonly token: string | undefined;
}

/** The source of a request that asks for admission. Missing headers are empty strings. */
export interface Caller {
  readonly address: string;
  readonly forwardedFor: string;
  readonly origin: string;
  readonly host: string;
  /** How often the client connects again at once if it is refused to rebalance the cluster; 0 if it did not say so. */
  readonly triesLeft: number;
}

/** Admission control, applied before a connection is opened. */
export interface Admission {
  /**
   * Admits a connection that asks for this number of topics. Returns the key to pass to `release` when it is closed.
   * @throws {AppError} the reason for the refusal
   */
  admit(caller: Caller, transport: TransportName, topics: number): string;
  release(key: string): void;
}

/** Assigns an owner to a new connection. */
export type Accept = (connection: Connection, request: ConnectRequest) => ConnectionOwner;

/** Events of transports, for metrics and logs. */
export interface ConnectionReport {
  opened(transport: TransportName): void;
  closed(transport: TransportName, code: number): void;
  /** A connection was closed because its client read nothing for too long. */
  stuck(): void;
  /** A connection was refused. */
  refused(refusal: AppError): void;
}
