import type { Protocol } from '../servers/contender.ts';

/** The n-th topic: as long as topics are, since short texts cost less than they do. */
export function topicName(n: number): string {
  return `bench/topic-${n}`;
}

/** Clients that are to connect. */
export interface ClientPlan {
  readonly protocol: Protocol;
  readonly port: number;
  readonly count: number;
  /** The clients share so many topics, each has the next ones in turn. */
  readonly topics: number;
  readonly topicsPerClient: number;
  /** The version that they say they have of each topic. */
  readonly since?: number;
  /** Whether the server says when a subscription stands. */
  readonly isGreeted: boolean;
}

/** What a process of clients is asked for. Each question is answered once. */
export type ClientRequest =
  | { readonly type: 'connect'; readonly plan: ClientPlan }
  /** Answered when so many updates have come in all since the start. */
  | { readonly type: 'receive'; readonly updates: number }
  /** What came since this was asked the last time. */
  | { readonly type: 'ages' }
  | { readonly type: 'disconnect' };

/** What came since somebody asked the last time. */
export interface Ages {
  readonly updates: number;
  /** How old they were when they came: an HDR histogram as text. */
  readonly histogram: string | undefined;
}

export type RequestEnvelope = { readonly id: number; readonly question: ClientRequest };
export type ClientResponse = { readonly id: number; readonly failure?: string; readonly ages?: Ages };
