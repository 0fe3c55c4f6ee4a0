import type { ServerProcess } from './server-process.ts';

/** What clients say and hear. */
export type Protocol = 'ws' | 'update_check' | 'socket.io';

/** A server that clients can connect to, and that hands them updates. */
export interface RunningServer {
  readonly process: ServerProcess;
  readonly port: number;
  /** Publishes an update; resolves once it is on its way to the server. `data` is any JSON. */
  publish(topic: string, data: unknown): Promise<void>;
  stop(): Promise<void>;
}

/** What a server is started with. */
export interface StartOptions {
  /** The Redis that it may use. */
  readonly redisUrl: string;
  /** Options for Node. */
  readonly nodeArgs?: readonly string[];
  /** The folder of the build that relays are started from, where it is not ours. */
  readonly build?: string;
}

/** One of those that are compared. */
export interface Contender {
  readonly name: string;
  readonly protocol: Protocol;
  /** Whether it says when a client's subscription stands. */
  readonly greets: boolean;
  start(options: StartOptions): Promise<RunningServer>;
}
