import type { AppError } from '../../shared/errors.ts';
import type { CloseCode } from '../../shared/protocol/close-codes.ts';
import type { TransportName } from '../../shared/protocol/transport-name.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';

/** The longest message that a client may ever send, in bytes: MAX_MESSAGE_SIZE allows less. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Where a server's certificate and its key are, as PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * One client's line. Sending never queues without bound: where it returns false, the client takes too little,
 * nothing was sent, and the owner is told by `roomAgain` when to go on.
 */
export interface Connection {
  readonly transport: TransportName;
  /** Whether its client can say something, such as a token. */
  readonly acceptsMessages: boolean;
  /** Begins to hand over what is published under the topic. */
  subscribe(topic: Topic): void;
  unsubscribe(topic: Topic): void;
  /** Says what the relay vouches for; null where it cannot yet. */
  sendSubscribed(numbers: ReadonlyMap<Topic, Version | null>): boolean;
  sendUpdate(update: Update): boolean;
  sendFreshness(fresh: boolean): boolean;
  sendPong(): boolean;
  sendError(code: string, topic?: Topic): boolean;
  /** Says goodbye. The owner is told by `closed`, perhaps before this returns, but not before it is known. */
  close(code: CloseCode, reason: string): void;
}

/** All connections of one kind. */
export interface Transport {
  /** Tells all who listen; returns how many. A paced update leaves out those who cannot spread their refetch. */
  deliver(update: Update, paced: boolean): number;
  sendFreshness(fresh: boolean): void;
}

/** What a connection tells its owner. */
export interface ConnectionOwner {
  /** A text message, not longer than the limit. */
  message(text: string): void;
  /** Something that says no more than that the client lives: a ping, or whatever one of 2009 says. */
  alive(): void;
  /** Something that was published did not fit any more. May come in the middle of a publish. */
  fellBehind(): void;
  /** There is room again after it fell behind, or after a send that returned false. */
  drained(): void;
  closed(): void;
}

/** What a client asks for when it connects. */
export interface ConnectRequest {
  readonly topics: ReadonlyMap<Topic, Version | null>;
  /** What it shows to be let in; undefined where it shows nothing. */
  readonly token: string | undefined;
}

/** What is known of somebody who wants to connect; a text is empty where there is none. */
export interface Caller {
  readonly address: string;
  readonly forwardedFor: string;
  readonly origin: string;
  readonly host: string;
}

/** Who may connect. */
export interface Admission {
  /** Lets somebody in, and answers what `leave` wants when the connection is gone. Throws what refuses it. */
  admit(caller: Caller): string;
  release(key: string): void;
}

/** Gives every new connection its owner. */
export type Accept = (connection: Connection, greeting: ConnectRequest) => ConnectionOwner;

/** What transports report, for metrics. */
export interface ConnectionReport {
  opened(transport: TransportName): void;
  closed(transport: TransportName, code: number): void;
  /** A client that took nothing for too long was given up. */
  stuck(): void;
  /** Somebody did not get in. */
  refused(refusal: AppError): void;
}
