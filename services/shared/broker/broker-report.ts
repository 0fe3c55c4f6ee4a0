/** Identifies a connection of a broker. */
export type LinkName = 'commands' | 'publisher' | 'subscriber';

/** A command that Redis received and refused. */
export interface Refusal {
  /** One of a few words, such as `oom`; `other` for the rest. */
  readonly reason: string;
  /** What keeps Redis from it, in words; for other reasons the reply itself. */
  readonly explanation: string;
}

/** Receives the events of a broker's links, for logs and metrics. */
export interface BrokerReport {
  linkUp(link: LinkName): void;
  linkDown(link: LinkName): void;
  /** An attempt to connect failed. Called for every attempt, with the error message. */
  linkFailed(link: LinkName, reason: string): void;
  /** Redis refused a command. Called for every one. */
  commandRefused(refusal: Refusal): void;
  /** The `maxmemory-policy` of a server to which a link was established. Updates can be lost unless it is `noeviction`. */
  evictionPolicy(policy: string): void;
  /** The user may not use `SCRIPT LOAD`, so scripts are sent whole when Redis does not have them. */
  scriptLoadRefused(reason: string): void;
  /** Redis refused one probe of several partitions: each of them is probed alone. Called every time, with the reply. */
  probeRefused(reason: string): void;
  /** The settings of this process and the cluster agreed before and differ now, or agree again (undefined). */
  settingsDiffer(difference: string | undefined): void;
}

/** Ignores every event. */
export const SILENT_REPORT: BrokerReport = {
  linkUp() {},
  linkDown() {},
  linkFailed() {},
  commandRefused() {},
  evictionPolicy() {},
  scriptLoadRefused() {},
  probeRefused() {},
  settingsDiffer() {},
};
