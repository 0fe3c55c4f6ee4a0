import type { ClientPlan } from '../clients/messages.ts';
import type { MeasuredProcess } from './measured-process.ts';

/** The protocol between clients and server. */
export type Protocol = 'websocket' | 'legacy' | 'socket.io' | 'sse' | 'long-poll' | 'nchan-long-poll';

/** A server that sends updates to its clients. */
export interface RunningServer {
  readonly process: MeasuredProcess;
  readonly port: number;
  /** File of the certificate that clients must trust; clients use TLS if there is one. */
  readonly caFile?: string;
  /** Publishes an update with any JSON as data; resolves once it is sent to the server. */
  publish(topic: string, data: unknown): Promise<void>;
  stop(): Promise<void>;
}

/** The options to start a server. */
export interface StartOptions {
  /** The Redis to use. */
  readonly redisUrl: string;
  /** Arguments of Node.js. */
  readonly nodeArgs?: readonly string[];
  /** Folder of the build from which relays are started; this build by default. */
  readonly build?: string;
}

/** A server in the comparison. */
export interface Contender {
  readonly name: string;
  readonly protocol: Protocol;
  /** The server confirms subscriptions. */
  readonly confirmsSubscription: boolean;
  /** What its clients need beside the plan of the bench. */
  readonly plan?: Partial<ClientPlan>;
  start(options: StartOptions): Promise<RunningServer>;
}
