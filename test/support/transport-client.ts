/** A client over any transport, as tests see it. */
export interface TransportClient {
  /** All updates that it received, in order. */
  readonly updates: readonly { topic: string; version: number; data?: unknown; spread?: number }[];
  /** The newest known version of each topic. */
  readonly known: ReadonlyMap<string, number>;
  /** Whether its relay is fresh, by its last message. */
  readonly fresh: boolean;
  /** Error code with which the relay rejected it; undefined if it did not. */
  readonly refusal: string | undefined;
  /** Whether the relay has closed the connection and asks to reconnect. */
  readonly isDrained: boolean;
  /** Stops reading, as a hung client does. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** Opens a client of one transport. */
export type OpenClient = (options: {
  http: string;
  topics: readonly string[];
  since?: ReadonlyMap<string, number>;
  token?: string;
}) => Promise<TransportClient>;
