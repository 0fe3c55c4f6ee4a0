/** A client as a test sees it, by whatever transport it came. */
export interface TransportClient {
  /** Everything it was told, in order. */
  readonly updates: readonly { topic: string; version: number; data?: unknown; spread?: number }[];
  /** What it knows of each topic. */
  readonly known: ReadonlyMap<string, number>;
  /** What it was last told about whether its relay can vouch for what it says. */
  readonly fresh: boolean;
  /** Why it was let in no more; undefined where it was. */
  readonly refusal: string | undefined;
  /** Whether the relay has ended the line, and asks to come back. */
  readonly sentAway: boolean;
  /** Reads nothing, as a client does that hangs. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** How clients of a transport come to a relay. */
export type OpenClient = (options: {
  http: string;
  topics: readonly string[];
  since?: ReadonlyMap<string, number>;
  token?: string;
}) => Promise<TransportClient>;
