import type { Logger } from '../logger.ts';
import type { LinkName } from './broker-report.ts';

/** How long a line is not repeated, in milliseconds. */
const WINDOW_MS = 60_000;

interface Line {
  readonly level: 'info' | 'warn';
  readonly fields: Readonly<Record<string, string>>;
  readonly message: string;
}

/**
 * Logs the events of one link. A link that is lost again within a minute is only counted: its lines follow at the end of
 * the minute, with their number in `times`. They keep the order of their last occurrence, so the last one is the state.
 */
export class LinkLog {
  readonly #logger: Logger;
  readonly #link: LinkName;
  /** Reasons already logged since the link was last established, so that an outage logs each once. */
  readonly #reasons = new Set<string>();
  /** The lines of the last minute, and how often each occurred since it was logged; undefined while the link is stable. */
  #window: Map<string, Line & { times: number }> | undefined;

  constructor(deps: { logger: Logger; link: LinkName }) {
    this.#logger = deps.logger;
    this.#link = deps.link;
  }

  connected(): void {
    this.#reasons.clear();
    this.#log({ level: 'info', fields: {}, message: 'connected to Redis' });
  }

  lost(): void {
    if (!this.#window) this.#openWindow();
    this.#log({ level: 'warn', fields: {}, message: 'lost the connection to Redis' });
  }

  failed(reason: string): void {
    if (this.#reasons.has(reason)) return;
    this.#reasons.add(reason);
    this.#log({ level: 'warn', fields: { reason }, message: 'cannot connect to Redis; retrying' });
  }

  #openWindow(lines: readonly Line[] = []): void {
    this.#window = new Map(lines.map((line) => [keyOf(line), { ...line, times: 0 }]));
    setTimeout(() => this.#closeWindow(), WINDOW_MS).unref();
  }

  #closeWindow(): void {
    const repeated = [...(this.#window?.values() ?? [])].filter(({ times }) => times > 0);
    this.#window = undefined;
    for (const line of repeated) this.#write(line, { times: line.times });
    if (repeated.length > 0) this.#openWindow(repeated);
  }

  #log(line: Line): void {
    const key = keyOf(line);
    const logged = this.#window?.get(key);
    if (!logged) this.#write(line, {});
    this.#window?.delete(key); // the order is that of the last occurrence
    this.#window?.set(key, { ...line, times: logged ? logged.times + 1 : 0 });
  }

  #write({ level, fields, message }: Line, counted: { times?: number }): void {
    this.#logger[level]({ link: this.#link, ...fields, ...counted }, message);
  }
}

function keyOf({ message, fields: { reason = '' } }: Line): string {
  return `${message} ${reason}`;
}
