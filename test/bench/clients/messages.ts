import type { Protocol } from '../servers/contender.ts';

/** Returns the name of topic `n`, of realistic length because short texts cost less. */
export function topicName(n: number): string {
  return `bench/topic-${n}`;
}

/** The clients to connect. */
export interface ClientPlan {
  readonly protocol: Protocol;
  readonly port: number;
  readonly isTls?: boolean;
  readonly count: number;
  /** The number of all topics; each client has the next ones in turn, from `firstTopic` on (0). */
  readonly topics: number;
  readonly firstTopic?: number;
  readonly topicsPerClient: number;
  /** The `since` of the clients for each topic. */
  readonly since?: number;
  /** The token of each client. */
  readonly token?: string;
  /** Where all clients connect to, with an old version, once the first of them loses its connection. */
  readonly fallbackPort?: number;
  /** The server confirms subscriptions. */
  readonly confirmsSubscription: boolean;
}

/** The topics of each client of `planManyTopics`. */
export const TOPICS_PER_CLIENT = 100;

/** Returns a plan of WebSocket clients with `TOPICS_PER_CLIENT` topics each, for a relay that is to have this many topics. */
export function planManyTopics({ port, topics }: { port: number; topics: number }): ClientPlan {
  return {
    protocol: 'websocket',
    port,
    count: topics / TOPICS_PER_CLIENT,
    topics,
    topicsPerClient: TOPICS_PER_CLIENT,
    confirmsSubscription: true,
  };
}

/** A request to a client process, which sends one response. */
export type ClientRequest =
  | { readonly type: 'connect'; readonly plan: ClientPlan }
  /** Responds once all clients of the plan are subscribed. */
  | { readonly type: 'ready' }
  /** Responds once `updates` updates have been received since the start. */
  | { readonly type: 'receive'; readonly updates: number }
  /** Responds with the ages since the previous request. */
  | { readonly type: 'ages' }
  | { readonly type: 'disconnect' };

/** The updates since the previous request. */
export interface Ages {
  readonly updates: number;
  /** All updates since the start. */
  readonly total: number;
  /** Their ages on receipt, as an encoded HDR histogram. */
  readonly histogram: string | undefined;
}

export type RequestEnvelope = { readonly id: number; readonly request: ClientRequest };
export type ClientResponse = { readonly id: number; readonly failure?: string; readonly ages?: Ages };
