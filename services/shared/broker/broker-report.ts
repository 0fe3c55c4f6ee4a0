/** Names a connection of a broker. */
export type LinkName = 'commands' | 'publisher' | 'subscriber';

/** What a broker reports about itself, for logs and metrics. */
export interface BrokerReport {
  linkUp(link: LinkName): void;
  linkDown(link: LinkName): void;
  /** An attempt to connect failed, and why. */
  linkFailed(link: LinkName, reason: string): void;
  /** Redis may evict registers silently: its `maxmemory-policy` is not `noeviction`. */
  evictionPolicy(policy: string): void;
}

/** A report that nobody reads. */
export const SILENT_REPORT: BrokerReport = {
  linkUp() {},
  linkDown() {},
  linkFailed() {},
  evictionPolicy() {},
};
